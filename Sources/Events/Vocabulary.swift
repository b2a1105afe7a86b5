public import KernelABI
public import Rings

/// What happened, in the words of the event contract, and where ECS 9 files it.
///
/// | action | kind | category | type | why |
/// |---|---|---|---|---|
/// | exec, fork | event | process | start | a failed exec too: its outcome says so |
/// | exit | event | process | end | |
/// | namespace-change | event | process | change | |
/// | create, link, symlink, mkdir, mknod | event | file | creation | |
/// | write, truncate, rename | event | file | change | |
/// | chmod, chown, utimes, setxattr, removexattr, setflags | event | file | change | |
/// | mmap-write | event | file | change | a mapping that can be stored to; whether something is, is another event |
/// | mount, umount | event | file | change | another tree is seen under the name |
/// | delete, rmdir | event | file | deletion | |
/// | kernel-parameter | event | driver | change | ECS has no category for the kernel; its drivers come next to it |
/// | module-load | event | driver | start | |
/// | module-unload | event | driver | end | |
/// | module-request | event | driver | info | the kernel asks; whether a load follows is another event |
/// | start, stop, lost | event | host | info | said of the host's observation (below) |
/// | degraded | state | host | info | a condition that lasts, not an occurrence |
///
/// ECS has no category for a monitor's own life. `process` with `start` would count as an exec, `host` with `start` or `end`
/// would say that the host started or ended; `host` with `info` says that there is something to know of this host.
///
/// Not `pipeline_error` for lost: ECS means by it that the event at hand may be incomplete, and this one is whole.
///
/// Severities are on a scale of 0 to 100, for sorting: 10 routine, 20 worth a look (an exec that failed, a module asked for, a
/// mount), 40 a change of the kernel or the end of monitoring, 60 an exec without a file or a blind spot, 70 a loss.
///
/// The outcome is that of the act. An exit took place, so it is a success whatever the exit code; losses and degradations
/// have none, as ECS wants it for `info`.
public enum Action: String, CaseIterable, Sendable {
    case exec, fork, exit
    case namespaceChange = "namespace-change"
    case create, write, truncate, rename, delete, link, symlink, mkdir, rmdir, mknod
    case chmod, chown, utimes, setxattr, removexattr, setflags
    case mmapWrite = "mmap-write"
    case mount, umount
    case kernelParameter = "kernel-parameter"
    case moduleLoad = "module-load"
    case moduleUnload = "module-unload"
    case moduleRequest = "module-request"
    case start, stop, lost, degraded

    /// `event.kind`, `event.category` and `event.type`, each with one value, as the table above has them and `classification` writes them.
    package var filed: (kind: StaticString, category: StaticString, type: StaticString) {
        switch self {
        case .exec, .fork: ("event", "process", "start")
        case .exit: ("event", "process", "end")
        case .namespaceChange: ("event", "process", "change")
        case .create, .link, .symlink, .mkdir, .mknod: ("event", "file", "creation")
        case .write, .rename, .truncate, .chmod, .chown, .utimes, .setxattr, .removexattr, .setflags, .mmapWrite, .mount, .umount:
            ("event", "file", "change")
        case .delete, .rmdir: ("event", "file", "deletion")
        case .kernelParameter: ("event", "driver", "change")
        case .moduleLoad: ("event", "driver", "start")
        case .moduleUnload: ("event", "driver", "end")
        case .moduleRequest: ("event", "driver", "info")
        case .start, .stop, .lost: ("event", "host", "info")
        case .degraded: ("state", "host", "info")
        }
    }

    /// The members of `event` that follow from the action alone.
    var classification: StaticString {
        switch self {
        case .exec: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"exec\""
        case .fork: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"fork\""
        case .exit: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"end\"],\"action\":\"exit\""
        case .namespaceChange: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"change\"],\"action\":\"namespace-change\""
        case .create: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"create\""
        case .write: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"write\""
        case .rename: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"rename\""
        case .delete: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"deletion\"],\"action\":\"delete\""
        case .truncate: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"truncate\""
        case .link: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"link\""
        case .symlink: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"symlink\""
        case .mkdir: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"mkdir\""
        case .rmdir: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"deletion\"],\"action\":\"rmdir\""
        case .mknod: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"mknod\""
        case .chmod: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"chmod\""
        case .chown: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"chown\""
        case .utimes: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"utimes\""
        case .setxattr: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"setxattr\""
        case .removexattr: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"removexattr\""
        case .setflags: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"setflags\""
        case .mmapWrite: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"mmap-write\""
        case .mount: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"mount\""
        case .umount: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"umount\""
        case .kernelParameter: "\"kind\":\"event\",\"category\":[\"driver\"],\"type\":[\"change\"],\"action\":\"kernel-parameter\""
        case .moduleLoad: "\"kind\":\"event\",\"category\":[\"driver\"],\"type\":[\"start\"],\"action\":\"module-load\""
        case .moduleUnload: "\"kind\":\"event\",\"category\":[\"driver\"],\"type\":[\"end\"],\"action\":\"module-unload\""
        case .moduleRequest: "\"kind\":\"event\",\"category\":[\"driver\"],\"type\":[\"info\"],\"action\":\"module-request\""
        case .start: "\"kind\":\"event\",\"category\":[\"host\"],\"type\":[\"info\"],\"action\":\"start\""
        case .stop: "\"kind\":\"event\",\"category\":[\"host\"],\"type\":[\"info\"],\"action\":\"stop\""
        case .lost: "\"kind\":\"event\",\"category\":[\"host\"],\"type\":[\"info\"],\"action\":\"lost\""
        case .degraded: "\"kind\":\"state\",\"category\":[\"host\"],\"type\":[\"info\"],\"action\":\"degraded\""
        }
    }

    /// The action's name as text.
    package var name: StaticString {
        switch self {
        case .exec: "exec"
        case .fork: "fork"
        case .exit: "exit"
        case .namespaceChange: "namespace-change"
        case .create: "create"
        case .write: "write"
        case .rename: "rename"
        case .delete: "delete"
        case .truncate: "truncate"
        case .link: "link"
        case .symlink: "symlink"
        case .mkdir: "mkdir"
        case .rmdir: "rmdir"
        case .mknod: "mknod"
        case .chmod: "chmod"
        case .chown: "chown"
        case .utimes: "utimes"
        case .setxattr: "setxattr"
        case .removexattr: "removexattr"
        case .setflags: "setflags"
        case .mmapWrite: "mmap-write"
        case .mount: "mount"
        case .umount: "umount"
        case .kernelParameter: "kernel-parameter"
        case .moduleLoad: "module-load"
        case .moduleUnload: "module-unload"
        case .moduleRequest: "module-request"
        case .start: "start"
        case .stop: "stop"
        case .lost: "lost"
        case .degraded: "degraded"
        }
    }

    /// `event.severity` where nothing in the event raises it.
    package var severity: UInt32 {
        switch self {
        case .exec, .fork, .exit, .create, .write, .truncate, .rename, .delete, .link, .symlink, .mkdir, .rmdir, .mknod, .chmod, .chown, .utimes,
            .setxattr, .removexattr, .setflags, .mmapWrite, .start:
            10
        case .namespaceChange, .moduleRequest, .mount, .umount: 20
        case .moduleLoad, .moduleUnload, .kernelParameter, .stop: 40
        case .degraded: 60
        case .lost: 70
        }
    }
}

/// How an act ended.
public enum Outcome: Sendable, Equatable {
    case success
    /// A positive errno.
    case failure(UInt32)
    /// Nobody told, or not yet.
    case unknown

    /// Of a record's `error`: 0 or a negative errno.
    @inline(__always)
    public init(error: Int32) { self = error == 0 ? .success : .failure(error.magnitude) }
}

/// What a path does not say by itself: `hypervigil.path.flags`. `unreachable`: the host has no mount of it, so the path is
/// the actor's, or starts at the root of its file system.
public typealias PathFlags = StringFlags

/// What user space found out about a record. The bytes are borrowed: they must stay until `encode` returns.
public struct Resolution {
    /// The host's path of the file (of `file.path`); empty: not known, and the record's own is used and flagged.
    public var path = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The host's path of where it went (`file.target_path`).
    public var targetPath = UnsafeRawBufferPointer(start: nil, count: 0)
    public var pathFlags: PathFlags = []
    public var targetPathFlags: PathFlags = []
    /// How the act ended, where that is known from elsewhere than the record (a joined `ResultView`, a result that never
    /// came). Nil: as the record says.
    public var outcome: Outcome?
    /// What is there after the act (of a joined `ResultView`); all 0: not known, and the record's own is used.
    public var object = hv_object()
    /// In place of the record's `value` (of a joined `ResultView`); all ones: not known.
    public var value = UInt64.max
    /// Number of this event among those made of one record, from 1; 0: the record makes one event.
    public var ordinal: UInt32 = 0
    /// What is known of the actor, valid for the call; nil: nothing beside the record.
    public var actor: UnsafePointer<ActorFacts>?
    /// SHA-256 of the file, 32 bytes; empty: there is none.
    public var fileHash = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Why there is none: an identifier. Empty: nobody asked.
    public var fileHashFailure = UnsafeRawBufferPointer(start: nil, count: 0)
    /// How many values were masked in the record, and in what goes with it.
    public var redacted: UInt32 = 0

    public init() {}

    /// What the result of an operation tells of it. There is no path in it.
    @inline(__always)
    public init(_ result: borrowing ResultView) {
        outcome = Outcome(error: result.error)
        object = result.object
        value = result.value
    }
}
