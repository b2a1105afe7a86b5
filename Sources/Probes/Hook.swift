internal import KernelABI

/// A set of BPF programs that live in one object and are asked for together (`--only`).
package enum Family: String, CaseIterable, Sendable {
    case exec, file, module

    var object: hv_family {
        switch self {
        case .exec: HV_FAMILY_EXEC
        case .file: HV_FAMILY_FILE
        case .module: HV_FAMILY_MODULE
        }
    }
}

/// How a program is attached. `lsm` first wherever it can be: it is not skipped under preemption.
package enum Style: String, Sendable {
    case lsm, fentry, tracepoint
}

/// One BPF program and what it hangs on.
struct Program: Sendable {
    enum Target: Sendable {
        /// fentry or fexit of a kernel function.
        case function(String)
        /// An LSM hook, `bpf_lsm_<name>` in the kernel's BTF.
        case lsm(String)
        /// A raw tracepoint, `btf_trace_<name>` in the kernel's BTF.
        case tracepoint(String)
        case iterator(String)
    }
    let name: String
    let target: Target
    /// Not every kernel has it, and nothing is missing where it doesn't (32-bit twins of system calls, ...).
    var optional = false

    /// It runs for every exec, for every thread that ends, for every capability that is asked of an inode, for every write, or for every system call,
    /// and few of those make an event: when it is skipped, whether one is missing can't be known.
    var mayLoseEvents: Bool {
        ["sys_enter", "sys_exit"].contains(targetName) || name.hasPrefix("exec_failed") || name == "process_exit" || name == "file_refused_open"
            || name.hasPrefix("file_bytes")
    }

    /// Whether an event is missing when the kernel skips it; the others add a detail to an event that another program sends.
    var losesEvents: Bool {
        switch name {
        // The first one's account says what these could not take over.
        case "exec_done_again", "exec_done_again_2", "process_exit_again", "process_exit_again_2", "process_fork_again", "process_fork_again_2":
            false
        case "exec_rename", "exec_check_lsm", "exec_check_fentry", "module_arguments", "module_loaded", "module_freed", "module_file_lsm",
            "module_file_fentry", "module_open_lsm", "module_open_fentry", "file_identities", "process_list":
            false
        case "cgroup_made", "cgroup_renamed", "cgroup_removed": false
        // Of mknod(2) for a regular file and of nfsd there is no other.
        case "file_create_result": true
        // How an attempt ended, which another program told.
        default: !name.hasSuffix("_result")
        }
    }

    var style: Style {
        switch target {
        case .function: .fentry
        case .lsm: .lsm
        case .tracepoint, .iterator: .tracepoint
        }
    }

    var targetName: String {
        switch target {
        case .function(let name), .lsm(let name), .tracepoint(let name), .iterator(let name): name
        }
    }
}

/// Something that events promise, and the ways to see it, best first.
struct Hook: Sendable {
    let family: Family
    /// What it shows, as `doctor` prints it.
    let promise: String
    /// In the words of `hypervigil.lost.kinds`.
    let kind: String
    /// Each a set of programs that together keep the promise.
    let alternatives: [[Program]]
    /// What the tracepoint style's file programs have to do where no alternative works (HV_OPERATION_*).
    var operation: UInt32 = 0
    /// Canary acts whose event proves that it fires.
    var canary: CanaryAct?
    /// What is missing from events without it.
    let without: String
}

#if arch(x86_64)
private let systemCall = "__x64_sys_"
private let compatExec = "__ia32_compat_sys_"
private let compatNative = "__ia32_sys_"
#else
private let systemCall = "__arm64_sys_"
private let compatExec = "__arm64_compat_sys_"
private let compatNative = "__arm64_compat_sys_"
#endif

extension Hook {
    /// What exists. Which of it is loaded is settled by ``Demand`` and the kernel at hand.
    static let exec: [Hook] = [
        Hook(
            family: .exec, promise: "exec", kind: "exec",
            alternatives: [
                [
                    Program(name: "exec_done", target: .tracepoint("sched_process_exec")),
                    Program(name: "exec_done_again", target: .tracepoint("sched_process_exec")),
                    Program(name: "exec_done_again_2", target: .tracepoint("sched_process_exec")),
                ]
            ],
            canary: .exec, without: "no exec is seen"),
        Hook(
            family: .exec, promise: "credentials before an exec", kind: "exec",
            alternatives: [[Program(name: "exec_rename", target: .tracepoint("task_rename"))]],
            canary: .credentials, without: "exec events have no credentials from before"),
        Hook(
            family: .exec, promise: "script file", kind: "exec",
            alternatives: [
                [Program(name: "exec_check_lsm", target: .lsm("bprm_check_security"))],
                [Program(name: "exec_check_fentry", target: .function("security_bprm_check"))],
            ],
            without: "the inode of a script, and whether it has a name, is not known; its interpreter's is"),
    ]

    static let failedExec = Hook(
        family: .exec, promise: "failed exec", kind: "exec",
        alternatives: [
            [
                Program(name: "exec_failed_execve", target: .function(systemCall + "execve")),
                Program(name: "exec_failed_execveat", target: .function(systemCall + "execveat")),
                Program(name: "exec_failed_compat_execve", target: .function(compatExec + "execve"), optional: true),
                Program(name: "exec_failed_compat_execveat", target: .function(compatExec + "execveat"), optional: true),
                Program(name: "exec_failed_kernel", target: .function("kernel_execve"), optional: true),
            ],
            [Program(name: "exec_failed_tracepoint", target: .tracepoint("sys_exit"))],
        ],
        canary: .failedExec, without: "failed execs are not seen")

    static let fork = Hook(
        family: .exec, promise: "fork", kind: "fork",
        alternatives: [
            [
                Program(name: "process_fork", target: .tracepoint("sched_process_fork")),
                Program(name: "process_fork_again", target: .tracepoint("sched_process_fork")),
                Program(name: "process_fork_again_2", target: .tracepoint("sched_process_fork")),
            ]
        ],
        canary: .fork, without: "forks are not seen")

    static let exit = Hook(
        family: .exec, promise: "exit", kind: "exit",
        alternatives: [
            [
                Program(name: "process_exit", target: .tracepoint("sched_process_exit")),
                Program(name: "process_exit_again", target: .tracepoint("sched_process_exit")),
                Program(name: "process_exit_again_2", target: .tracepoint("sched_process_exit")),
            ]
        ],
        canary: .exit, without: "exits are not seen")

    static let cgroup = Hook(
        family: .exec, promise: "cgroups", kind: "cgroup",
        alternatives: [
            [
                Program(name: "cgroup_made", target: .tracepoint("cgroup_mkdir")),
                Program(name: "cgroup_renamed", target: .tracepoint("cgroup_rename")),
                Program(name: "cgroup_removed", target: .tracepoint("cgroup_rmdir")),
            ]
        ],
        without: "the tenant of a process is known from its own exec only")

    static let namespace = Hook(
        family: .exec, promise: "namespace change", kind: "namespace",
        alternatives: [
            [
                Program(name: "namespace_unshare", target: .function(systemCall + "unshare")),
                Program(name: "namespace_setns", target: .function(systemCall + "setns")),
                Program(name: "namespace_unshare_compat", target: .function(compatNative + "unshare"), optional: true),
                Program(name: "namespace_setns_compat", target: .function(compatNative + "setns"), optional: true),
            ],
            [Program(name: "namespace_tracepoint", target: .tracepoint("sys_exit"))],
        ],
        canary: .namespace, without: "changes of namespaces are not seen")

    /// Processes that were there before the monitor.
    static let processList = Program(name: "process_list", target: .iterator("task"))

    static let fileHint = "file hint"

    static let module: [Hook] = [
        Hook(
            family: .module, promise: "module load and unload", kind: "module",
            alternatives: [
                [
                    Program(name: "module_init", target: .function(systemCall + "init_module")),
                    Program(name: "module_finit", target: .function(systemCall + "finit_module")),
                    Program(name: "module_delete", target: .function(systemCall + "delete_module")),
                    Program(name: "module_init_compat", target: .function(compatNative + "init_module"), optional: true),
                    Program(name: "module_finit_compat", target: .function(compatNative + "finit_module"), optional: true),
                    Program(name: "module_delete_compat", target: .function(compatNative + "delete_module"), optional: true),
                ],
                [Program(name: "module_tracepoint", target: .tracepoint("sys_exit"))],
            ],
            canary: .module, without: "module loads and unloads are not seen"),
        Hook(
            family: .module, promise: "module name and taints", kind: "module",
            alternatives: [
                [
                    Program(name: "module_loaded", target: .tracepoint("module_load")),
                    Program(name: "module_freed", target: .tracepoint("module_free")),
                ]
            ],
            without: "module-load events have no name, taints or signature"),
        Hook(
            family: .module, promise: "module arguments", kind: "module",
            alternatives: [[Program(name: "module_arguments", target: .function("load_module"))]],
            without: "arguments are read when the call ends, and the caller may have changed them by then"),
        Hook(
            family: .module, promise: "module file", kind: "module",
            alternatives: [
                [Program(name: "module_file_lsm", target: .lsm("kernel_read_file"))],
                [Program(name: "module_file_fentry", target: .function("security_kernel_read_file"))],
            ],
            without: "the module's file is looked up by its descriptor when the call ends"),
        Hook(
            family: .module, promise: fileHint, kind: "module",
            alternatives: [
                [Program(name: "module_open_lsm", target: .lsm("file_open"))],
                [Program(name: "module_open_fentry", target: .function("security_file_open"))],
            ],
            without: "a module loaded from memory has no file_hint"),
        Hook(
            family: .module, promise: "module request", kind: "module",
            alternatives: [[Program(name: "module_request", target: .tracepoint("module_request"))]],
            without: "the kernel's own requests for modules are not seen"),
    ]
}

/// An act of the monitor's own whose event must come back.
package enum CanaryAct: String, CaseIterable, Sendable {
    case exec, credentials, failedExec, fork, exit, namespace
    case fileCreate, fileWrite, fileClose, fileRename, fileDelete, fileName, fileAttribute, fileExtended, fileFlags, fileMap
    case module
}
