public import Rings

/// What happened, in the words of the event contract, and where ECS 9 files it.
///
/// | action | kind | category | type | why |
/// |---|---|---|---|---|
/// | exec, fork | event | process | start | a failed exec too: its outcome says so |
/// | exit | event | process | end | |
/// | create | event | file | creation | |
/// | write, rename | event | file | change | |
/// | delete | event | file | deletion | |
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
/// Severities are on a scale of 0 to 100, for sorting: 10 routine, 20 worth a look (an exec that failed, a module asked for),
/// 40 a change of the kernel or the end of monitoring, 60 an exec without a file or a blind spot, 70 a loss.
///
/// The outcome is that of the act. An exit took place, so it is a success whatever the exit code; losses and degradations
/// have none, as ECS wants it for `info`.
public enum Action: String, CaseIterable, Sendable {
    case exec, fork, exit
    case create, write, rename, delete
    case moduleLoad = "module-load"
    case moduleUnload = "module-unload"
    case moduleRequest = "module-request"
    case start, stop, lost, degraded

    /// The members of `event` that follow from the action alone.
    var classification: StaticString {
        switch self {
        case .exec: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"exec\""
        case .fork: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"start\"],\"action\":\"fork\""
        case .exit: "\"kind\":\"event\",\"category\":[\"process\"],\"type\":[\"end\"],\"action\":\"exit\""
        case .create: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"creation\"],\"action\":\"create\""
        case .write: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"write\""
        case .rename: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"change\"],\"action\":\"rename\""
        case .delete: "\"kind\":\"event\",\"category\":[\"file\"],\"type\":[\"deletion\"],\"action\":\"delete\""
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
    var name: StaticString {
        switch self {
        case .exec: "exec"
        case .fork: "fork"
        case .exit: "exit"
        case .create: "create"
        case .write: "write"
        case .rename: "rename"
        case .delete: "delete"
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
    var severity: UInt32 {
        switch self {
        case .exec, .fork, .exit, .create, .write, .rename, .delete, .start: 10
        case .moduleRequest: 20
        case .moduleLoad, .moduleUnload, .stop: 40
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
    /// Number of this event among those made of one record, from 1; 0: the record makes one event.
    public var ordinal: UInt32 = 0

    public init() {}
}
