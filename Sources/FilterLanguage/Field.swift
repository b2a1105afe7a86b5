/// A field of events, by the name that the event has (ECS, and this project's own below `hypervigil`).
///
/// Grouped by what knows its value: each group is a `String` enum whose raw values are the names, so that the name is written once.
/// Points in time, and what is the same in all events of a host (`host.*`, `agent.*`), are no fields here.
package enum Field: Hashable, Sendable {
    case event(EventField)
    case actor(ActorField)
    case facts(FactField)
    case exec(ExecField)
    case forker(ForkField)
    case exit(ExitField)
    case file(FileField)
    case module(ModuleField)
    case object(ObjectPlace, ObjectField)
}

package enum FieldType: Sendable, Equatable {
    case string
    /// Several strings: a comparison holds where it holds for any of them.
    case strings
    /// 0 to 2^63 - 1.
    case number
    /// A number that events have as a string, 0 to 2^64 - 1; written with quotes or without.
    case identifier
    case boolean

    package var name: String {
        switch self {
        case .string: "string"
        case .strings: "list of strings"
        case .number: "number"
        case .identifier: "identifier"
        case .boolean: "boolean"
        }
    }

    /// The name with its article.
    var one: String { self == .identifier ? "an \(name)" : "a \(name)" }
}

/// `event` and `error`.
package enum EventField: String, CaseIterable, Sendable {
    case kind = "event.kind"
    case category = "event.category"
    case type = "event.type"
    case action = "event.action"
    case outcome = "event.outcome"
    case severity = "event.severity"
    case errorCode = "error.code"
}

/// What every record has of its actor.
package enum ActorField: String, CaseIterable, Sendable {
    case pid = "process.pid"
    case thread = "process.thread.id"
    case name = "process.name"
    case savedUser = "process.saved_user.id"
    case savedGroup = "process.saved_group.id"
    case parentPid = "process.parent.pid"
    case parentName = "process.parent.name"
    case interactive = "process.interactive"
    case terminalMajor = "process.tty.char_device.major"
    case terminalMinor = "process.tty.char_device.minor"
    case user = "user.id"
    case effectiveUser = "user.effective.id"
    case effectiveGroup = "user.effective.group.id"
    case loginUser = "user.audit.id"
    case group = "group.id"
    case capabilities = "hypervigil.process.capabilities"
    case mountNamespace = "hypervigil.process.namespaces.mount"
    case pidNamespace = "hypervigil.process.namespaces.pid"
    case userNamespace = "hypervigil.process.namespaces.user"
    case networkNamespace = "hypervigil.process.namespaces.network"
    case ipcNamespace = "hypervigil.process.namespaces.ipc"
    case utsNamespace = "hypervigil.process.namespaces.uts"
    case cgroupNamespace = "hypervigil.process.namespaces.cgroup"
    case cgroup = "hypervigil.process.cgroup.id"
    case session = "hypervigil.process.session"
    case flags = "hypervigil.process.flags"
}

/// What attribution knows of the actor. `executable`, `args` and `commandLine` of an exec come from its record.
package enum FactField: String, CaseIterable, Sendable {
    case executable = "process.executable"
    case args = "process.args"
    case commandLine = "process.command_line"
    case hash = "process.hash.sha256"
    case parentExecutable = "process.parent.executable"
    case parentCommandLine = "process.parent.command_line"
    case ancestorNames = "hypervigil.process.ancestors.name"
    case ancestorExecutables = "hypervigil.process.ancestors.executable"
    case userName = "user.name"
    case effectiveUserName = "user.effective.name"
    case effectiveGroupName = "user.effective.group.name"
    case savedUserName = "process.saved_user.name"
    case loginUserName = "user.audit.name"
    case groupName = "group.name"
    case sessionRemote = "source.address"
    case sessionTerminal = "hypervigil.login.terminal"
    case namesClaimed = "hypervigil.user.claimed"
    case innerUser = "hypervigil.user.inner.id"
    case innerGroup = "hypervigil.user.inner.group.id"
    case hashFailure = "hypervigil.process.hash_failure"
    case unpackaged = "hypervigil.process.unpackaged"
    case packageName = "package.name"
    case packageVersion = "package.version"
    case tenantKind = "hypervigil.tenant.kind"
    case tenantName = "hypervigil.tenant.name"
    case tenantID = "hypervigil.tenant.id"
    case tenantEngine = "hypervigil.tenant.engine"
    case tenantRole = "hypervigil.tenant.role"
    case containerID = "container.id"
    case containerName = "container.name"
    case containerImage = "container.image.name"
    case containerRuntime = "container.runtime"
}

package enum ExecField: String, CaseIterable, Sendable {
    case directory = "process.working_directory"
    case argsCount = "process.args_count"
    case filename = "hypervigil.process.filename"
    case interpreter = "hypervigil.process.interpreter"
    case fileless = "hypervigil.process.fileless"
    case memfd = "hypervigil.process.memfd"
    case argsTruncated = "hypervigil.process.args_truncated"
    case argsSize = "hypervigil.process.args_size"
    case callingThread = "hypervigil.process.calling_thread"
    case scriptFileless = "hypervigil.process.script.fileless"
    case uidBefore = "hypervigil.process.before.uid"
    case effectiveUidBefore = "hypervigil.process.before.euid"
    case savedUidBefore = "hypervigil.process.before.suid"
    case gidBefore = "hypervigil.process.before.gid"
    case effectiveGidBefore = "hypervigil.process.before.egid"
    case savedGidBefore = "hypervigil.process.before.sgid"
    case capabilitiesBefore = "hypervigil.process.before.capabilities"
    case cgroupPath = "hypervigil.process.cgroup.path"
    case truncated = "hypervigil.process.truncated"
    case unreadable = "hypervigil.process.unreadable"
}

package enum ForkField: String, CaseIterable, Sendable {
    case pid = "hypervigil.process.forker.pid"
}

package enum ExitField: String, CaseIterable, Sendable {
    case code = "process.exit_code"
    case signal = "hypervigil.process.signal"
    case coreDumped = "hypervigil.process.core_dumped"
}

/// Changes of files; the first group is also that of a module's file.
package enum FileField: String, CaseIterable, Sendable {
    case path = "file.path"
    case directory = "file.directory"
    case name = "file.name"
    case fileExtension = "file.extension"
    case pathFlags = "hypervigil.path.flags"
    case actorPath = "hypervigil.path.actor"
    case innerPath = "hypervigil.path.inner"

    case spelledPath = "hypervigil.path.spelled"
    case targetPath = "file.target_path"
    case targetFlags = "hypervigil.target.flags"
    case targetActorPath = "hypervigil.target.actor"
    case targetInnerPath = "hypervigil.target.inner"
    case targetSpelled = "hypervigil.target.spelled"
    case exchange = "hypervigil.target.exchange"
    case operations = "hypervigil.write.operations"
    case bytes = "hypervigil.write.bytes"
    case offset = "hypervigil.write.offset"
    case sizeBefore = "hypervigil.write.size_before"
    case via = "hypervigil.write.via"
    case owner = "hypervigil.write.owner"
    case evicted = "hypervigil.write.evicted"
    case open = "hypervigil.write.open"
    case newMode = "hypervigil.change.mode"
    case modeBefore = "hypervigil.change.mode_before"
    case newUid = "hypervigil.change.uid"
    case newGid = "hypervigil.change.gid"
    case uidBefore = "hypervigil.change.uid_before"
    case gidBefore = "hypervigil.change.gid_before"
    case xattr = "hypervigil.change.xattr"
    case xattrSize = "hypervigil.change.size"
    case nodeDevice = "hypervigil.change.device"
    case newFlags = "hypervigil.change.flags"
    case flagsBefore = "hypervigil.change.flags_before"
    case mountOperation = "hypervigil.mount.operation"
    case mountSource = "hypervigil.mount.source"
    case mountType = "hypervigil.mount.type"
    case mountFlags = "hypervigil.mount.flags"
}

package enum ModuleField: String, CaseIterable, Sendable {
    case name = "hypervigil.module.name"
    case args = "hypervigil.module.args"
    case argsTruncated = "hypervigil.module.args_truncated"
    case argsUnreadable = "hypervigil.module.args_unreadable"
    case source = "hypervigil.module.source"
    case signed = "hypervigil.module.signed"
    case inTree = "hypervigil.module.in_tree"
    case taints = "hypervigil.module.taints"
    case hint = "hypervigil.module.file_hint"
    case waits = "hypervigil.module.wait"
}

/// Which inode.
package enum ObjectPlace: String, CaseIterable, Sendable {
    case file = "file"
    case target = "hypervigil.target"
    case executable = "hypervigil.process.executable"
    case script = "hypervigil.process.script"
    case moduleHint = "hypervigil.module.hint"
}

package enum ObjectField: String, CaseIterable, Sendable {
    case inode, device, mode, uid, gid, size, type
}
