internal import KernelABI
internal import Rings

/// What follows from the actor alone.
extension ECSEncoder {
    /// The parts of an event's actor, valid until the next call. Call it behind `begin`.
    @inline(__always)
    mutating func parts(_ actor: borrowing ActorView) -> ActorParts {
        let slot = actors.slot(actor)
        return actors.find(actor, slot) ?? encodeParts(actor, slot)
    }

    @inline(never)
    private mutating func encodeParts(_ actor: borrowing ActorView, _ slot: Int) -> ActorParts {
        let start = actors.clear(slot)
        var cursor = Cursor(start)
        var ends = ActorParts.Ends()
        process(actor, &cursor)
        ends.process = cursor.position - start
        user(actor, &cursor)
        ends.user = cursor.position - start
        own(actor, &cursor)
        ends.cgroup = cursor.position - start
        ownRest(actor, &cursor)
        ends.rest = cursor.position - start
        // Where bytes of a name were replaced, each event notes them in `hypervigil.raw`.
        return actors.store(actor, slot, ends, reusable: raw.isEmpty)
    }

    /// `process`, left open.
    private mutating func process(_ actor: borrowing ActorView, _ cursor: inout Cursor) {
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
        cursor.put("},\"saved_group\":{\"id\":")
        cursor.quoted(actor.savedGid)
        cursor.put("},\"parent\":{\"pid\":")
        cursor.number(actor.parentPid)
        cursor.put(",")
        entity(actor.parentPid, actor.parentStart, &cursor)
        cursor.put(",\"name\":\"")
        string(borrowed(actor.parentName), .processParentName, &cursor)
        let terminal = actor.terminal
        if terminal != 0 {
            cursor.put("\"},\"interactive\":true,\"tty\":{\"char_device\":{\"major\":")
            cursor.number(terminal >> 20)
            cursor.put(",\"minor\":")
            cursor.number(terminal & 0xfffff)
            cursor.put("}}")
        } else {
            cursor.put("\"},\"interactive\":false")
        }
    }

    /// The end of `process`, and `user` and `group`.
    private func user(_ actor: borrowing ActorView, _ cursor: inout Cursor) {
        cursor.put("},\"user\":{\"id\":")
        cursor.quoted(actor.uid)
        cursor.put(",\"effective\":{\"id\":")
        cursor.quoted(actor.effectiveUid)
        cursor.put(",\"group\":{\"id\":")
        cursor.quoted(actor.effectiveGid)
        cursor.put("}}")
        if actor.loginUid != .max {
            cursor.put(",\"audit\":{\"id\":")
            cursor.quoted(actor.loginUid)
            cursor.put("}")
        }
        cursor.put("},\"group\":{\"id\":")
        cursor.quoted(actor.gid)
        cursor.put("}")
    }

    /// The members of `hypervigil.process` that follow from the actor, up to the number in `cgroup`.
    private func own(_ actor: borrowing ActorView, _ cursor: inout Cursor) {
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
        cursor.closeObject()
        cursor.put(",\"cgroup\":{\"id\":")
        cursor.quoted(actor.cgroup)
    }

    /// The end of `cgroup` and what is behind it, but the task's flags.
    private func ownRest(_ actor: borrowing ActorView, _ cursor: inout Cursor) {
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
