internal import KernelABI
internal import Rings

/// What follows from the actor alone.
extension ECSEncoder {
    /// The parts of an event's actor, valid until the next call. Call it behind `begin`.
    @inline(__always)
    mutating func parts(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>?) -> ActorParts {
        let slot = actors.slot(actor)
        return actors.find(actor, slot, version: facts?.pointee.version ?? 0) ?? encodeParts(actor, facts, slot)
    }

    @inline(never)
    private mutating func encodeParts(_ actor: borrowing ActorView, _ known: UnsafePointer<ActorFacts>?, _ slot: Int) -> ActorParts {
        if let known { return encode(parts: actor, known, slot) }
        return withUnsafePointer(to: ActorFacts()) { encode(parts: actor, $0, slot) }
    }

    private mutating func encode(parts actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>, _ slot: Int) -> ActorParts {
        let bound = 4096 &+ 2 &* context.entityID.count &+ encodedBound(facts)
        let start = actors.clear(slot, bound: bound)
        var cursor = Cursor(start)
        var ends = ActorParts.Ends()
        process(actor, facts, &cursor)
        ends.identity = cursor.position - start
        image(facts, &cursor)
        ends.process = cursor.position - start
        user(actor, facts, &cursor)
        source(facts, &cursor)
        Self.package(facts.pointee, &cursor)
        container(facts, &cursor)
        ends.user = cursor.position - start
        own(actor, facts, &cursor)
        ends.cgroup = cursor.position - start
        ownRest(actor, facts, &cursor)
        ends.rest = cursor.position - start
        // Where bytes of a name were replaced, each event notes them in `hypervigil.raw`.
        return actors.store(actor, slot, start, ends, version: facts.pointee.version, reusable: raw.isEmpty)
    }

    /// `process`, left open, without what it runs.
    private mutating func process(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        cursor.put(",\"process\":{\"pid\":")
        cursor.number(actor.pid)
        cursor.put(",\"thread\":{\"id\":")
        cursor.number(actor.tid)
        cursor.put("},")
        entity(actor.pid, actor.start, &cursor)
        cursor.put(",\"start\":\"")
        time(actor.start, &cursor)
        cursor.put("\",\"name\":\"")
        string(borrowed(actor.name), .processName, &cursor)
        cursor.put("\",\"saved_user\":{\"id\":")
        cursor.quoted(actor.savedUid)
        name(facts.pointee.savedUserName, .processSavedUserName, &cursor)
        cursor.put("},\"saved_group\":{\"id\":")
        cursor.quoted(actor.savedGid)
        cursor.put("},\"parent\":{\"pid\":")
        cursor.number(actor.parentPid)
        cursor.put(",")
        entity(actor.parentPid, actor.parentStart, &cursor)
        cursor.put(",\"name\":\"")
        string(borrowed(actor.parentName), .processParentName, &cursor)
        cursor.put("\"")
        if facts.pointee.parentExecutable.count > 0 {
            cursor.put(",\"executable\":\"")
            string(facts.pointee.parentExecutable, .processParentExecutable, &cursor)
            cursor.put("\"")
        }
        commandLine(facts.pointee.parentArguments, .processParentCommandLine, &cursor)
        let terminal = actor.terminal
        if terminal != 0 {
            cursor.put("},\"interactive\":true,\"tty\":{\"char_device\":{\"major\":")
            cursor.number(terminal >> 20)
            cursor.put(",\"minor\":")
            cursor.number(terminal & 0xfffff)
            cursor.put("}}")
        } else {
            cursor.put("},\"interactive\":false")
        }
        Self.processHash(facts.pointee, &cursor)
    }

    /// What it runs, as its last exec had it.
    private mutating func image(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        if facts.pointee.executable.count > 0 {
            cursor.put(",\"executable\":\"")
            string(facts.pointee.executable, .processExecutable, &cursor)
            cursor.put("\"")
        }
        commandLine(facts.pointee.arguments, .processCommandLine, &cursor)
    }

    /// `command_line` of arguments that each end with a NUL.
    private mutating func commandLine(_ arguments: UnsafeRawBufferPointer, _ field: RawField, _ cursor: inout Cursor) {
        guard let start = arguments.baseAddress, arguments.count > 0 else { return }
        let length = arguments[arguments.count &- 1] == 0 ? arguments.count &- 1 : arguments.count
        cursor.put(",\"command_line\":\"")
        let line = JSONString.writeLine(start, length, to: cursor.position)
        cursor.position = line.end
        cursor.put("\"")
        if line.replaced { raw.note(field, UnsafeRawBufferPointer(start: start, count: length)) }
    }

    /// The end of `process`, and `user` and `group`.
    private mutating func user(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        cursor.put("},\"user\":{\"id\":")
        cursor.quoted(actor.uid)
        name(facts.pointee.userName, .userName, &cursor)
        cursor.put(",\"effective\":{\"id\":")
        cursor.quoted(actor.effectiveUid)
        name(facts.pointee.effectiveUserName, .userEffectiveName, &cursor)
        cursor.put(",\"group\":{\"id\":")
        cursor.quoted(actor.effectiveGid)
        name(facts.pointee.effectiveGroupName, .userEffectiveGroupName, &cursor)
        cursor.put("}}")
        if actor.loginUid != .max {
            cursor.put(",\"audit\":{\"id\":")
            cursor.quoted(actor.loginUid)
            name(facts.pointee.loginUserName, .userAuditName, &cursor)
            cursor.put("}")
        }
        cursor.put("},\"group\":{\"id\":")
        cursor.quoted(actor.gid)
        name(facts.pointee.groupName, .groupName, &cursor)
        cursor.put("}")
    }

    /// `hypervigil.tenant`, and the members of `hypervigil.process` that follow from the actor, up to the number in `cgroup`.
    private mutating func own(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        ownUser(facts, &cursor)
        tenant(facts, &cursor)
        cursor.put(",\"process\":{\"capabilities\":\"")
        cursor.hexadecimal(actor.capabilities, width: 16)
        cursor.put("\",\"namespaces\":{")
        namespace("\"mount\":\"", actor.mountNamespace, &cursor)
        namespace("\"pid\":\"", actor.pidNamespace, &cursor)
        namespace("\"user\":\"", actor.userNamespace, &cursor)
        namespace("\"network\":\"", actor.networkNamespace, &cursor)
        namespace("\"ipc\":\"", actor.ipcNamespace, &cursor)
        namespace("\"uts\":\"", actor.utsNamespace, &cursor)
        namespace("\"cgroup\":\"", actor.cgroupNamespace, &cursor)
        if !facts.pointee.foreignNamespaces.isEmpty { NamespaceNames.write("\"foreign\":[", facts.pointee.foreignNamespaces, &cursor) }
        cursor.closeObject()
        Self.imageDetails(facts.pointee, &cursor)
        lineage(facts, &cursor)
        cursor.put(",\"cgroup\":{\"id\":")
        cursor.quoted(actor.cgroup)
    }

    /// `ancestors`: who started it, who started that, and so on.
    private mutating func lineage(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        if facts.pointee.argumentsAreFromProc { cursor.put(",\"command_line_from_proc\":true") }
        guard facts.pointee.ancestors.count > 0 else { return }
        cursor.put(",\"ancestors\":[")
        for ancestor in facts.pointee.ancestors {
            cursor.put("{\"pid\":")
            cursor.number(ancestor.pid)
            cursor.put(",")
            entity(ancestor.pid, ancestor.start, &cursor)
            cursor.put(",\"name\":\"")
            // Bytes that were replaced are in `hypervigil.raw` of its own events.
            text(ancestor.name, &cursor)
            if ancestor.executable.count > 0 {
                cursor.put("\",\"executable\":\"")
                text(ancestor.executable, &cursor)
            }
            cursor.put(ancestor.isFromProc ? "\",\"from_proc\":true}," : "\"},")
        }
        cursor.closeArray()
        if facts.pointee.ancestorsTruncated { cursor.put(",\"ancestors_truncated\":true") }
    }

    /// The end of `cgroup` and what is behind it, but the task's flags.
    private func ownRest(_ actor: borrowing ActorView, _ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        cursor.put("}")
        if actor.session != .max {
            cursor.put(",\"session\":")
            cursor.quoted(actor.session)
        }
    }

    @inline(__always)
    private func namespace(_ name: StaticString, _ inode: UInt32, _ cursor: inout Cursor) {
        guard inode != 0 else { return }
        cursor.put(name)
        cursor.number(inode)
        cursor.put("\",")
    }
}

/// `PF_*` that tell what kind of task it is, the same in all kernels from 5.10 (include/linux/sched.h; no header for user
/// space has them).
package enum TaskFlags {
    package static let names: [(bit: UInt32, name: StaticString)] = [
        (0x0000_0004, "exiting"), (0x0000_0010, "io_worker"), (0x0000_0020, "workqueue_worker"), (0x0000_0040, "forked_no_exec"),
        (0x0000_0100, "used_super_privileges"), (0x0000_0200, "dumped_core"), (0x0000_0400, "killed_by_signal"),
        (0x0020_0000, "kernel_thread"),
    ]
    package static let known: UInt32 = 0x0020_0774

    /// Writes `,"flags":[...]`.
    @inline(never)
    static func write(_ flags: UInt32, _ cursor: inout Cursor) {
        cursor.put(",\"flags\":[")
        for (bit, name) in names where flags & bit != 0 {
            cursor.put("\"")
            cursor.copy(name.utf8Start, name.utf8CodeUnitCount)
            cursor.put("\",")
        }
        cursor.closeArray()
    }
}

/// Names of namespaces.
enum NamespaceNames {
    static var names: [(NamespaceSet, StaticString)] {
        [
            (.mount, "mount"), (.pid, "pid"), (.user, "user"), (.network, "network"), (.ipc, "ipc"), (.uts, "uts"), (.cgroup, "cgroup"),
            (.time, "time"),
        ]
    }

    /// Writes `key` and the names of an array, and a comma.
    static func write(_ key: StaticString, _ set: NamespaceSet, _ cursor: inout Cursor) {
        cursor.copy(key.utf8Start, key.utf8CodeUnitCount)
        for (one, name) in names where set.contains(one) {
            cursor.put("\"")
            cursor.copy(name.utf8Start, name.utf8CodeUnitCount)
            cursor.put("\",")
        }
        cursor.closeArray()
        cursor.put(",")
    }
}

extension NamespaceSet {
    /// Allocates.
    var names: [String] { NamespaceNames.names.filter { contains($0.0) }.map { "\($0.1)" } }
}
