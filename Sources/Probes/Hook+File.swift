internal import KernelABI

#if arch(x86_64)
private let systemCall = "__x64_sys_"
#else
private let systemCall = "__arm64_sys_"
#endif

extension Hook {
    static let file: [Hook] = [
        both("file create", [("open", "file_open", "security_file_open")], operation: HV_OPERATION_CREATE, canary: .fileCreate,
            without: "created files are not seen"),
        Hook(
            family: .file, promise: "file write", kind: "file", alternatives: changeSets,
            operation: UInt32(HV_OPERATION_WRITE), canary: .fileWrite, without: "writes are not seen"),
        Hook(
            family: .file, promise: "refused open for writing", kind: "file",
            alternatives: [[Program(name: "file_refused_open", target: .function("capable_wrt_inode_uidgid"))]],
            operation: UInt32(HV_OPERATION_REFUSED), without: "opens for writing that are refused are not seen"),
        Hook(
            family: .file, promise: "close after a write", kind: "file",
            alternatives: [
                [Program(name: "file_close_lsm", target: .lsm("file_release"))],
                [Program(name: "file_close_fentry", target: .function("__fput"))],
            ],
            operation: UInt32(HV_OPERATION_CLOSE), canary: .fileClose, without: "a write has no event with its totals"),
        both("rename", [("rename", "path_rename", "security_path_rename")], results: [("rename", "vfs_rename")], operation: HV_OPERATION_RENAME,
            canary: .fileRename, without: "renames are not seen"),
        both("delete", [("unlink", "path_unlink", "security_path_unlink")], results: [("unlink", "vfs_unlink")], operation: HV_OPERATION_DELETE,
            canary: .fileDelete, without: "deleted files are not seen"),
        both(
            "links, directories, devices",
            ["link", "symlink", "mkdir", "rmdir", "mknod"].map { ($0, "path_\($0)", "security_path_\($0)") },
            results: ["link", "symlink", "mkdir", "rmdir", "mknod", "create"].map { ($0, "vfs_\($0)") },
            optionalResults: [("do_rmdir", "do_rmdir")],
            operation: HV_OPERATION_NAME, canary: .fileName, without: "links, directories and devices that come or go are not seen"),
        both(
            "mode, owner, times, length",
            [
                ("chmod", "path_chmod", "security_path_chmod"), ("truncate", "path_truncate", "security_path_truncate"),
                ("setattr", "inode_setattr", "security_inode_setattr"),
            ],
            // security_inode_setattr has what these would have told, without the mount.
            optional: [("chown", "path_chown", "security_path_chown"), ("ftruncate", "file_truncate", "security_file_truncate")],
            results: [("setattr", "notify_change")], operation: HV_OPERATION_ATTRIBUTE, canary: .fileAttribute,
            without: "chmod, chown, utimes and truncate are not seen"),
        both(
            "extended attributes",
            [("setxattr", "inode_setxattr", "security_inode_setxattr"), ("removexattr", "inode_removexattr", "security_inode_removexattr")],
            optional: [("set_acl", "inode_set_acl", "security_inode_set_acl"), ("remove_acl", "inode_remove_acl", "security_inode_remove_acl")],
            results: [("setxattr", "vfs_setxattr"), ("removexattr", "vfs_removexattr")],
            optionalResults: [("set_acl", "vfs_set_acl"), ("remove_acl", "vfs_remove_acl")],
            operation: HV_OPERATION_EXTENDED, canary: .fileExtended, without: "extended attributes, ACLs and file capabilities are not seen to change"),
        Hook(
            family: .file, promise: "file flags", kind: "file",
            alternatives: [
                [
                    Program(name: "file_setflags", target: .function("vfs_fileattr_set")),
                    Program(name: "file_setflags_result", target: .function("vfs_fileattr_set")),
                ],
                [Program(name: "file_setflags_prepared", target: .function("vfs_ioc_setflags_prepare"))],
            ],
            operation: UInt32(HV_OPERATION_FLAGS), canary: .fileFlags, without: "flags (immutable, append-only) are not seen to change"),
        both(
            "writable mappings", [("mmap", "mmap_file", "security_mmap_file"), ("mprotect", "file_mprotect", "security_file_mprotect")],
            operation: HV_OPERATION_MAP, canary: .fileMap, without: "shared mappings that can be stored to are not seen"),
        Hook(
            family: .file, promise: "fallocate on vfat and old tmpfs", kind: "file",
            alternatives: [[Program(name: "file_fallocate", target: .function("vfs_fallocate"))]],
            operation: UInt32(HV_OPERATION_WRITE), without: "fallocate is not seen where it sets no time stamps"),
        Hook(
            family: .file, promise: "sysfs, proc, debugfs", kind: "file",
            alternatives: [
                [
                    Program(name: "file_write_kernfs", target: .function("kernfs_fop_write_iter")),
                    Program(name: "file_write_proc", target: .function("proc_reg_write"), optional: true),
                    Program(name: "file_write_debugfs", target: .function("full_proxy_write"), optional: true),
                    Program(name: "file_write_debugfs_attribute", target: .function("debugfs_attr_write"), optional: true),
                ]
            ],
            operation: UInt32(HV_OPERATION_WRITE), without: "writes to files of the kernel's own file systems are not seen"),
        Hook(
            family: .file, promise: "kernel parameters", kind: "file",
            alternatives: [[Program(name: "file_write_sysctl", target: .function("proc_sys_write"))]],
            operation: UInt32(HV_OPERATION_WRITE), without: "writes below /proc/sys are not seen"),
        both(
            "mounts",
            [
                ("mount", "sb_mount", "security_sb_mount"), ("umount", "sb_umount", "security_sb_umount"),
                ("move_mount", "move_mount", "security_move_mount"), ("pivot_root", "sb_pivotroot", "security_sb_pivotroot"),
            ],
            results: ["mount", "umount", "move_mount", "pivot_root"].map { ($0, systemCall + $0) },
            optionalResults: [("namespace", "copy_mnt_ns")],
            operation: HV_OPERATION_MOUNT, without: "mounts are not seen; the host's own are found by polling"),
    ]

    /// The same programs as LSM hooks and as functions: `(program, LSM hook, function)`; results are functions on either.
    private static func both(
        _ promise: String, _ acts: [(String, String, String)], optional: [(String, String, String)] = [], results: [(String, String)] = [],
        optionalResults: [(String, String)] = [], operation: Int32, canary: CanaryAct? = nil, without: String
    ) -> Hook {
        let told = results.map { Program(name: "file_\($0.0)_result", target: .function($0.1)) }
            + optionalResults.map { Program(name: "file_\($0.0)_result", target: .function($0.1), optional: true) }
        let lsm = acts.map { Program(name: "file_\($0.0)_lsm", target: .lsm($0.1)) }
            + optional.map { Program(name: "file_\($0.0)_lsm", target: .lsm($0.1), optional: true) }
        let functions = acts.map { Program(name: "file_\($0.0)_fentry", target: .function($0.2)) }
            + optional.map { Program(name: "file_\($0.0)_fentry", target: .function($0.2), optional: true) }
        return Hook(
            family: .file, promise: promise, kind: "file", alternatives: [lsm + told, functions + told], operation: UInt32(operation),
            canary: canary, without: without)
    }

    /// The functions that set a file's time stamps, so that each write passes exactly one: the newest kernel's way first.
    /// A function that an older kernel inlines or lacks makes its set fail, and the next is tried (fs/inode.c of 7.0, 6.0, 6.12, 5.10).
    private static let changeSets: [[Program]] = {
        let updateTime = Program(name: "file_change_update_time", target: .function("file_update_time"))
        let modified = Program(name: "file_change_modified", target: .function("file_modified"))
        let modifiedFlags = Program(name: "file_change_modified_flags", target: .function("file_modified_flags"))
        let kiocb = Program(name: "file_change_kiocb", target: .function("kiocb_modified"))
        let updateTimeFlags = Program(name: "file_change_update_time_flags", target: .function("file_update_time_flags"))
        return [[updateTimeFlags], [updateTime, modifiedFlags], [updateTime, modified, kiocb], [updateTime]]
    }()

    /// How much a write wrote, and where (`files.detail`): the ends of the calls that write. Writes of the whole machine pay for it.
    static let fileDetail = Hook(
        family: .file, promise: "bytes of writes", kind: "file",
        alternatives: [
            [
                Program(name: "file_bytes_write", target: .function("vfs_write")),
                Program(name: "file_bytes_writev", target: .function("vfs_writev")),
                Program(name: "file_bytes_iter", target: .function("vfs_iter_write")),
                Program(name: "file_bytes_iocb", target: .function("vfs_iocb_iter_write")),
                Program(name: "file_bytes_splice", target: .function("iter_file_splice_write")),
                Program(name: "file_bytes_copy", target: .function("vfs_copy_file_range")),
                Program(name: "file_bytes_ring", target: .function("kiocb_done"), optional: true),
                Program(name: "file_bytes_ring_later", target: .function("io_complete_rw"), optional: true),
                Program(name: "file_bytes_aio", target: .function("aio_complete_rw"), optional: true),
            ]
        ],
        operation: UInt32(HV_OPERATION_DETAIL), without: "writes are told without their bytes, as with files.detail: summary")

    /// What overlayfs does to its layers, and nfsd; attached only while a watched tree holds a layer or nfsd runs.
    static let fileLayers = Hook(
        family: .file, promise: "layers of overlays, nfsd", kind: "file",
        alternatives: [
            ["rename", "unlink", "rmdir", "mkdir", "symlink", "link"].map { Program(name: "file_layer_\($0)", target: .function("vfs_\($0)")) }
        ],
        without: "names that overlayfs or nfsd changes are not seen in a watched layer or export")

    /// Runs on reads too; attached only while a file system is watched that needs it (`Probes.attend`).
    static let filePermission = Hook(
        family: .file, promise: "writes on btrfs, FUSE, network file systems", kind: "file",
        alternatives: [
            [Program(name: "file_permission_lsm", target: .lsm("file_permission"))],
            [Program(name: "file_permission_fentry", target: .function("security_file_permission"))],
        ],
        without: "plain writes are not seen on file systems whose writes set no time stamps by the kernel's common functions")

    /// Does what `operation` of the others asks for where the kernel refuses their programs.
    static let fileTracepoints: [Program] = [
        Program(name: "file_tracepoint_enter", target: .tracepoint("sys_enter")),
        Program(name: "file_tracepoint_exit", target: .tracepoint("sys_exit")),
        Program(name: "file_tracepoint_process_exit", target: .tracepoint("sched_process_exit")),
    ]

    /// What system calls don't show, each missing on some kernels; chosen where ``fileTracepoints`` are used for the same operation.
    static let fileTracepointHooks: [Hook] = [
        Hook(
            family: .file, promise: "io_uring", kind: "file",
            alternatives: [
                [Program(name: "file_tracepoint_ring", target: .tracepoint("io_uring_submit_req"))],
                [Program(name: "file_tracepoint_ring_older", target: .tracepoint("io_uring_submit_sqe"))],
            ],
            operation: UInt32(HV_OPERATION_WRITE), without: "writes through io_uring are not seen"),
        Hook(
            family: .file, promise: "stores through mappings", kind: "file",
            alternatives: [[Program(name: "file_tracepoint_dirty", target: .tracepoint("writeback_mark_inode_dirty"))]],
            operation: UInt32(HV_OPERATION_WRITE), without: "stores through mappings are not seen"),
        Hook(
            family: .file, promise: "mappings that become writable or go", kind: "file",
            alternatives: [[Program(name: "file_tracepoint_protect", target: .tracepoint("sys_enter"))]],
            operation: UInt32(HV_OPERATION_MAP), without: "mprotect is not seen, and stores through a mapping have no event with their totals"),
    ]

    /// Programs that see each change of a folder's name; with them its path may be kept (bpf/lib/folder.h).
    static let folderNames: Set<String> = [
        "file_rename_result", "file_mount_result", "file_umount_result", "file_move_mount_result", "file_pivot_root_result", "file_namespace_result",
    ]

    /// Gives the identity of watched roots as the kernel has it.
    static let fileIdentities = Program(name: "file_identities", target: .iterator("task_file"))

    /// Functions whose arguments stand elsewhere on other kernels.
    static let shifting: [(hv_shifting, String)] = [
        (HV_AT_NOTIFY_CHANGE, "notify_change"), (HV_AT_SETATTR, "security_inode_setattr"), (HV_AT_SETXATTR, "security_inode_setxattr"),
        (HV_AT_REMOVEXATTR, "security_inode_removexattr"), (HV_AT_VFS_SETXATTR, "vfs_setxattr"), (HV_AT_VFS_REMOVEXATTR, "vfs_removexattr"),
        (HV_AT_SET_ACL, "security_inode_set_acl"), (HV_AT_REMOVE_ACL, "security_inode_remove_acl"), (HV_AT_VFS_SET_ACL, "vfs_set_acl"),
        (HV_AT_VFS_REMOVE_ACL, "vfs_remove_acl"), (HV_AT_FILEATTR, "vfs_fileattr_set"), (HV_AT_VFS_LINK, "vfs_link"),
        (HV_AT_VFS_SYMLINK, "vfs_symlink"), (HV_AT_VFS_MKDIR, "vfs_mkdir"), (HV_AT_VFS_RMDIR, "vfs_rmdir"), (HV_AT_VFS_MKNOD, "vfs_mknod"),
        (HV_AT_VFS_CREATE, "vfs_create"), (HV_AT_VFS_UNLINK, "vfs_unlink"),
        (HV_AT_CAPABLE, "capable_wrt_inode_uidgid"),
    ]
}
