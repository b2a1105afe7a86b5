import Testing

@testable import Probes

@Suite("Mounts of the host: from a device and a path inside it to the host's path")
struct MountTableTests {
    /// Lines of /proc/<pid>/mountinfo (Documentation/filesystems/proc.rst).
    static let table = MountTable(
        parsing: Array(
            #"""
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            23 22 0:21 / /proc rw - proc proc rw
            24 22 8:2 / /srv/a\040b rw master:3 shared:7 - xfs /dev/sdb rw
            25 22 8:2 /data /mnt/data rw - xfs /dev/sdb rw
            26 22 8:2 /data/deep\134x /deep rw - xfs /dev/sdb rw
            nonsense
            27 22 8: / /broken rw - xfs x rw
            28 22 0:40 /@home /home rw - btrfs /dev/sdc rw
            """#.utf8))

    private func path(_ major: UInt32, _ minor: UInt32, _ inner: String, prefers: String? = nil) -> String? {
        var path: [UInt8] = []
        let found = Array(inner.utf8).withUnsafeBytes { inner in
            Self.table.hostPath(device: major << 20 | minor, inner: inner, into: &path) { candidate in
                prefers.map { candidate.starts(with: Array($0.utf8)) } ?? false
            }
        }
        return found ? String(decoding: path, as: UTF8.self) : nil
    }

    @Test("lines that are not of the format are left out")
    func parsing() {
        #expect(Self.table.mounts.count == 6)
        #expect(Self.table.mounts[2].point == Array("/srv/a b".utf8))
        #expect(Self.table.mounts[4].root == Array(#"/data/deep\x"#.utf8))
        #expect(Self.table.mounts[5].type == "btrfs")
        #expect(MountTable(parsing: []).mounts.isEmpty)
        #expect(MountTable(parsing: [0xff, 0x0a, 0x20, 0x20]).mounts.isEmpty)
    }

    @Test("the first mount that shows it, or the one that is preferred")
    func paths() {
        #expect(path(8, 1, "/etc/passwd") == "/etc/passwd")
        #expect(path(8, 1, "/") == "/")
        #expect(path(8, 2, "/data/x") == "/srv/a b/data/x")
        #expect(path(8, 2, "/data/x", prefers: "/mnt/data") == "/mnt/data/x")
        #expect(path(8, 2, "/data", prefers: "/mnt") == "/mnt/data")
        #expect(path(8, 2, "/data/x", prefers: "/nowhere") == "/srv/a b/data/x")
        #expect(path(0, 40, "/@home/u/f") == "/home/u/f")
    }

    @Test("what no mount of the host shows has no host path")
    func unreachable() {
        #expect(path(9, 9, "/etc/passwd") == nil)
        // A sibling whose name only begins like the mount's root.
        #expect(path(0, 40, "/@homework/f") == nil)
        #expect(path(0, 40, "/@") == nil)
    }
}

@Suite("Watched names: the nearest entry decides")
struct WatchPathsTests {
    private func paths() -> WatchPaths {
        var paths = WatchPaths()
        paths.add("/etc/", watched: true)
        paths.add("/etc/cache", watched: false)
        paths.add("/etc/cache/keep", watched: true)
        return paths
    }

    @Test(arguments: [
        ("/etc", true), ("/etc/passwd", true), ("/etcetera", false), ("/", false), ("/etc/cache", false), ("/etc/cache/x", false),
        ("/etc/cached", true), ("/etc/cache/keep/x", true), ("", false),
    ])
    func nearest(path: String, watched: Bool) {
        #expect(paths().contains(Array(path.utf8)) == watched)
    }

    @Test("the root watches everything")
    func root() {
        var paths = WatchPaths()
        paths.add("/", watched: true)
        #expect(paths.contains(Array("/any/thing".utf8)))
    }
}

@Suite("Capabilities that are missing are named")
struct CapabilitiesTests {
    @Test func all() { #expect(Capabilities.missing(effective: .max).isEmpty) }
    @Test func none() {
        #expect(Capabilities.missing(effective: 0) == ["CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"])
    }
    @Test("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON")
    func administrator() { #expect(Capabilities.missing(effective: 1 << 21 | 1 << 2).isEmpty) }
}

@Suite("The table of hooks")
struct HookTests {
    static let all = Hook.exec + [Hook.failedExec, Hook.fork, Hook.exit] + Hook.file + Hook.module

    @Test("every hook has a way to be seen, and says what is missing without it")
    func complete() {
        for hook in Self.all {
            #expect(!hook.alternatives.isEmpty && hook.alternatives.allSatisfy { alternative in alternative.contains { !$0.optional } })
            #expect(!hook.without.isEmpty)
        }
        #expect(Set(Self.all.map(\.promise)).count == Self.all.count)
    }

    @Test("LSM before fentry, and tracepoints last")
    func order() {
        let rank: [Style: Int] = [.lsm: 0, .fentry: 1, .tracepoint: 2]
        for hook in Self.all {
            let ranks = hook.alternatives.map { rank[$0[0].style]! }
            #expect(ranks == ranks.sorted())
        }
    }

    @Test("every file hook can be taken over by the tracepoint style")
    func operations() {
        #expect(Hook.file.allSatisfy { $0.operation != 0 })
        #expect(Set(Hook.file.map(\.operation)).count == Hook.file.count)
    }
}
