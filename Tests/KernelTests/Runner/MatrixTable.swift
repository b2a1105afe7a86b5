/// From 10 bytes.
private func truncated(_ size: Int) -> Expected {
    .event(
        "truncate", "file",
        [("file.size", .number(size)), ("hypervigil.write.size_before", .number(10)), ("hypervigil.write.via", .word("truncate"))])
}

// What the tracepoint style can't show.
private let untilTracepoint = Gap("the tracepoint has the request from 6.0 only", style: "tracepoint", kernels: 0...519)
private let registered = Gap("the ring lets go of a registered file unseen: no totals", style: "tracepoint")
private let areas = Gap("bpf_find_vma is there from 5.17", style: "tracepoint", kernels: 0...516)
private let dirtyAlready = Gap(
    "no tracepoint fires for a store to a page that waits for its write-back already; the mapping is the evidence", style: "tracepoint",
    on: ["xfs"])
private let foreign = Gap("a name as a container spells it says nothing of the host's files", style: "tracepoint")
private let inKernel = Gap("the kernel makes no system calls for its own changes", style: "tracepoint")
private let rootNamed = Gap("what takes a root's name is told too: its name decides", style: "tracepoint")

private let writes: [Row] = [
    Row("write", Expected.write("file", after: 10)),
    Row("write-many", Expected.write("file", operations: 100, after: 500)),
    Row("writev", Expected.write("file", after: 10)),
    // Beyond the end xfs makes the file longer before it sets its time stamps.
    Row("pwrite", Expected.write("file", before: nil, after: 25)),
    Row("int80", Expected.write("file", after: 10) + [.event("delete", "file")]),
    Row("pwritev2", Expected.write("file", after: 10)),
    Row("append", Expected.write("file", after: 15)),
    Row("aio", Expected.write("file", via: "aio", after: 15)),
    // A try that may not block and the worker's can both count where the kernel first tries in place.
    Row("io_uring", Expected.write("file", via: "io_uring", operations: nil, after: 15), gaps: [untilTracepoint]),
    Row("io_uring-fixed", Expected.write("file", via: "io_uring", operations: nil, after: 15), gaps: [registered, untilTracepoint]),
    Row(
        "io_uring-worker", Expected.write("file", via: "io_uring", after: 15, [("hypervigil.write.owner", .flag(true))]),
        gaps: [Gap("the submission is seen: the author is sure, no worker is told", style: "tracepoint")]),
    Row(
        "io_uring-sqpoll", Expected.write("file", via: "io_uring", operations: nil, after: 15, [("hypervigil.write.owner", .flag(true))]),
        gaps: [registered]),
    // On btrfs the kernel asks for permission several times a splice.
    Row("sendfile", Expected.write("file", via: "sendfile", operations: nil, before: 12288, after: 12288)),
    Row("splice", Expected.write("file", via: "splice", operations: nil, after: 10)),
    Row("tee-splice", Expected.write("file", via: "splice", operations: nil, after: 10)),
    Row("copy_file_range", Expected.write("file", via: "copy_file_range", operations: nil, before: 12288, after: 12288)),
    Row("ficlone", Expected.write("file", via: "reflink", before: 12288, after: 12288)),
    Row("ficlonerange", Expected.write("file", via: "reflink", before: 12288, after: 12288)),
    Row("open-truncate", [truncated(0)]),
    Row("truncate", [truncated(5)]),
    Row("ftruncate", [truncated(20)]),
    // tmpfs sets its time stamps last.
    Row("fallocate-extend", Expected.write("file", via: "fallocate", before: nil, after: 20000)),
    Row("fallocate-punch", Expected.write("file", via: "fallocate", before: 12288, after: 12288)),
    Row("fallocate-collapse", Expected.write("file", via: "fallocate", before: 12288, after: 8192)),
    Row("fallocate-zero", Expected.write("file", via: "fallocate", before: 12288, after: 12288)),
    Row("mmap-store", [.event("mmap-write", "file")] + Expected.write("file", via: "mmap", operations: nil, before: 12288, after: 12288), gaps: [areas, dirtyAlready]),
    Row(
        "mmap-look-store",
        [.event("mmap-write", "file")] + Expected.write("file", via: "mmap", operations: nil, before: 12288, after: 12288),
        gaps: [Gap("a page of tmpfs that was read first is stored to unseen; the mapping is the evidence (row mmap-store)", on: ["tmpfs"]), areas, dirtyAlready]),
    Row(
        "mprotect-store", [.event("mmap-write", "file")] + Expected.write("file", via: "mmap", operations: nil, before: 12288, after: 12288), gaps: [areas, dirtyAlready]),
]

private let handles: [Row] = [
    Row("handle-older", Expected.write("file", after: 15)),
    Row("handle-inherited", Expected.write("file", before: nil, after: nil) + Expected.write("file", before: nil, after: nil, author: 1)),
    Row("handle-inherited-older", Expected.write("file", before: nil) + Expected.write("file", before: nil, author: 1)),
    Row("handle-passed", Expected.write("file", before: nil) + Expected.write("file", before: nil, author: 1)),
    Row("handle-after-exec", Expected.write("file", after: 15, [("process.name", .string("sh"))])),
    Row("open_by_handle_at", Expected.write("file", after: 15)),
]

private let names: [Row] = [
    Row("create", [.event("create", "new")]),
    Row("create-write", [.event("create", "new")] + Expected.write("new", before: 0, after: 10)),
    Row("mknod-fifo", [.event("mknod", "new", [("hypervigil.change.mode", .mode(0o600)), ("file.type", .string("fifo"))])]),
    Row(
        "mknod-device",
        [
            .event("mknod", "new", [("hypervigil.change.mode", .mode(0o600)), ("hypervigil.change.device", .string("1:3"))])
        ]),
    // The kernel itself makes a regular file by the function that creates; the mode asked for is told of a mknod only.
    Row("mknod-file", [Expected(action: "mknod", otherAction: "create", paths: ["new"], fields: [("event.outcome", .string("success"))])]),
    Row("mkdir", [.event("mkdir", "new", [("hypervigil.change.mode", .mode(0o750))])]),
    Row("rmdir", [.event("rmdir", "directory")]),
    Row("symlink", [.event("symlink", "new", [("file.target_path", .string("some/where else"))])]),
    Row("link", [.event("link", "file", [("file.inode", .present)], target: "new")]),
    Row(
        "linkat-tmpfile",
        [Expected(action: "link", paths: ["*"], fields: [("file.target_path", .path("new")), ("event.outcome", .string("success"))])]),
    Row("rename", [.event("rename", "file", [("hypervigil.target.inode", .absent)], target: "new")]),
    Row(
        "rename-exchange",
        [.event("rename", "file", [("hypervigil.target.inode", .note(0)), ("hypervigil.target.exchange", .flag(true))], target: "other")]),
    Row("rename-over", [.event("rename", "file", [("hypervigil.target.inode", .note(0))], target: "other")]),
    Row("unlink", [.event("delete", "file")]),
    Row("unlink-linked", [.event("delete", "file")]),
    Row("refused-rename", [.refused("rename", "file", "EACCES")]),
    Row("refused-unlink", [.refused("delete", "file", "EACCES")]),
    Row("refused-chmod", [.refused("chmod", "file", "EPERM")]),
    Row("refused-open", [.refused("write", "file", "EACCES")]),
    Row("refused-open-ways", Array(repeating: .refused("write", "file", "EACCES"), count: 3)),
    Row(
        "refused-create", ["new", "newer"].map { .refused("write", $0, "EACCES") },
        gaps: [Gap("whether the name was there is known by then only to hooks that every open would pay for", style: "fentry")]),
    Row("refused-search", [], gaps: [Gap("the name is told, whatever the reason", style: "tracepoint")]),
]

private func mode(_ before: Int, _ after: Int) -> [(String, Expected.Value)] {
    [("hypervigil.change.mode_before", .mode(before)), ("hypervigil.change.mode", .mode(after))]
}

private let attributes: [Row] = [
    Row("chmod", [.event("chmod", "file", mode(0o644, 0o600))]),
    Row("fchmodat2", [.event("chmod", "file", mode(0o644, 0o600))]),
    Row("fchmod", [.event("chmod", "file", mode(0o644, 0o600))]),
    Row(
        "chown",
        [
            .event(
                "chown", "file",
                [
                    ("hypervigil.change.uid", .string("1234")), ("hypervigil.change.gid", .string("4321")),
                    ("hypervigil.change.uid_before", .string("0")), ("hypervigil.change.gid_before", .string("0")),
                ])
        ]),
    Row("fchownat", [.event("chown", "file", [("hypervigil.change.uid", .absent), ("hypervigil.change.gid", .string("4321"))])]),
    Row("utimensat", [.event("utimes", "file")]),
    Row("setxattr-user", [.event("setxattr", "file", [("hypervigil.change.xattr", .string("user.hypervigil"))])]),
    Row("setxattr-security", [.event("setxattr", "file", [("hypervigil.change.xattr", .string("security.hypervigil"))])]),
    Row("setxattr-acl", [.event("setxattr", "file", [("hypervigil.change.xattr", .string("system.posix_acl_access"))])]),
    Row("removexattr-user", [.event("removexattr", "file", [("hypervigil.change.xattr", .string("user.hypervigil"))])]),
    Row("removexattr-security", [.event("removexattr", "file", [("hypervigil.change.xattr", .string("security.hypervigil"))])]),
    Row("removexattr-acl", [.event("removexattr", "file", [("hypervigil.change.xattr", .string("system.posix_acl_access"))])]),
    Row(
        "setflags", [flags, flags],
        gaps: [Gap("the file system's own code sets flags, and calls nothing common", style: "fentry", on: ["xfs", "overlay"], kernels: 500...512)]),
    Row(
        "sysctl", [Expected(action: "kernel-parameter", paths: ["/proc/sys/kernel/core_pattern"])], watches: "/proc/sys/kernel/core_pattern"
    ),
    Row(
        "module-parameter", Expected.write("/sys/module/kernel/parameters/panic_on_warn", operations: 1, before: nil),
        watches: "/sys/module/kernel/parameters"),
    Row(
        "debugfs", Expected.write("/sys/kernel/debug/fault_around_bytes", operations: 1, before: nil),
        watches: "/sys/kernel/debug/fault_around_bytes"),
]

/// Immutable, and off again: it comes twice.
private let flags = Expected.event(
    "setflags", "file", [("hypervigil.change.flags", .present), ("hypervigil.change.flags_before", .present)])

private func mounted(_ operation: String, _ path: String = "point", _ fields: [(String, Expected.Value)] = []) -> Expected {
    .event("mount", path, [("hypervigil.mount.operation", .string(operation))] + fields)
}

private let mounts: [Row] = [
    Row(
        "mount-tmpfs",
        [
            mounted("mount", "point", [("hypervigil.mount.source", .string("scratch")), ("hypervigil.mount.type", .string("tmpfs"))]),
            .event("mkdir", "point/new"), .event("umount", "point"),
        ]),
    Row(
        "mount-bind",
        [mounted("bind", "point", [("hypervigil.mount.source", .path("^source"))]), .event("umount", "point")]
            + Expected.write("point/file", "^source/file", after: 15)),
    Row("move_mount", [mounted("move"), .event("umount", "point")]),
    Row("remount", [mounted("remount")]),
    Row("pivot_root", [mounted("bind"), .event("mkdir", "point/old"), mounted("pivot_root")], gaps: [foreign]),
    Row(
        "root-mounted-over",
        [
            mounted("mount", "", [("hypervigil.mount.type", .string("tmpfs"))]), .event("mkdir", "new"), .event("umount", ""),
            .event("mkdir", "old"),
        ], isRoot: true),
    Row("loop-device", Expected.write("image", via: "kernel", operations: nil, before: 65536, after: 65536, author: nil),
        gaps: [inKernel, Gap("what a loop device writes to btrfs from 6.12 passes none of the hooks", style: "fentry", on: ["btrfs"], kernels: 612...799)]),
    Row("overlay-merged", overlay("merged", or: "^upper")),
    Row("overlay-upper", overlay("upper"), gaps: [inKernel]),
]

/// The same changes once, by the merged name or by that in the upper folder.
private func overlay(_ folder: String, or other: String...) -> [Expected] {
    let all =
        Expected.write(folder + "/file", after: 15) + [
            .event("create", folder + "/new"), .event("rename", folder + "/new", [("file.target_path", .suffix("/renamed"))]),
            .event("chmod", folder + "/file", mode(0o644, 0o600)),
        ]
    return all.map { expected in
        var expected = expected
        for other in other { expected.paths.append(expected.paths[0].replacing(folder, with: other, maxReplacements: 1)) }
        return expected
    }
}

private let paths: [Row] = [
    Row("path-symlink", Expected.write("file", after: 15) + [.event("rename", "file", target: "new")]),
    Row("path-dots", Expected.write("file", after: 15) + [.event("chmod", "file")]),
    Row("path-proc-root", Expected.write("file", after: 15) + [.event("delete", "file")]),
    Row("path-bind", Expected.write("file", after: 15) + [.event("rename", "file", target: "new"), .event("mkdir", "directory")], gaps: [Gap("a name is resolved after the fact: here the mount has gone by then", style: "tracepoint")]),
    Row("path-chroot", Expected.write("file", after: 15) + [.event("delete", "file")]),
    Row(
        "path-namespace", Expected.write("file", after: 15, [("hypervigil.path.actor", .string("/mnt/file"))]) + [.event("delete", "file")], gaps: [foreign]),
    Row("path-own-namespace", [mounted("bind", "")] + own, gaps: [foreign]),
    Row(
        "path-names",
        ["new\nline \"quoted\" \\ back", "not \u{FFFD} utf8 \u{FFFD}"].flatMap { name in
            [.event("create", name)] + Expected.write(name, before: 0, after: 10)
        }),
    Row("path-deep", [.event("create", deep), .event("chmod", deep)] + Expected.write(deep, before: 0, after: 10)),
    Row(
        "root-moved",
        [Expected(action: "rename", paths: ["", "^^"]), Expected(action: "symlink", paths: [""])] + Expected.write("^^/first", after: 15)
            + Expected.write("^^/second", after: 15) + Expected.write("^^/third", after: 15), isRoot: true, gaps: [rootNamed]),
    Row(
        "root-replaced", [Expected(action: "rename", paths: [""]), Expected(action: "mkdir", paths: [""]), .event("mkdir", "new")], isRoot: true,
        gaps: [rootNamed]),
    Row(
        "hard-link-later", [.event("link", "file", target: "^other")] + Expected.write("^other", "file", after: 15),
        gaps: [Gap("a name does not tell the object: its new name is watched only once it is changed by the old one", style: "tracepoint")]),
    Row("hard-link-before", Expected.write("^other", "file", after: 15)),
    Row(
        "directory-comes",
        [.event("rename", "^coming", target: "came"), .event("mkdir", "came/new")] + Expected.write("came/file", before: 18, after: 23)),
    // Whether a change by the other name is seen depends on how soon user space has found that it is one.
    Row(
        "directory-comes-linked",
        [.event("rename", "^coming", target: "came"), .event("rename", "came/file", target: "^away")] + optional(Expected.write("^twin", "came/file", after: 15))),
    Row("directory-goes", [.event("rename", "going", target: "^gone")] + Expected.write("going/file", after: 14)),
]

/// What a container has mounted over the watched place may be seen, as it is watched or not, but by its own path.
private let own: [Expected] = optional(Expected.write("^own/file") + [.event("delete", "^own/file")])

private func optional(_ all: [Expected]) -> [Expected] {
    all.map { expected in
        var expected = expected
        expected.optional = true
        return expected
    }
}

private let deep = String(repeating: "directory/", count: 60) + "file"

/// What must cause nothing.
private let silent = ["silent-reading", "silent-open-for-writing", "silent-private-mapping", "silent-neighbour", "silent-refused-reading"].map { Row($0, []) }

/// Every way to change a file, by the names of the acts in C.
let matrix = writes + handles + names + attributes + mounts + paths + silent
