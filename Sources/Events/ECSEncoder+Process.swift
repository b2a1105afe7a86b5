internal import KernelABI
public import Rings

extension ECSEncoder {
    /// An exec, done or failed. After a failed one `process` is the caller's image, and what it asked for is
    /// `hypervigil.process.filename`.
    @discardableResult
    public mutating func encode(_ view: borrowing ExecView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        let outcome = resolution.outcome ?? Outcome(error: view.error)
        begin(header, .exec, outcome, severity: view.severity(outcome), ordinal: resolution.ordinal, &cursor)

        let actor = parts(view.actor, resolution.actor)
        // A failed one leaves the caller what it ran.
        if view.error == 0 { identity(actor, &cursor) } else { process(actor, &cursor) }
        let executable = borrowed(view.executable)
        if executable.count > 0 {
            cursor.put(",\"executable\":\"")
            string(executable, .processExecutable, &cursor)
            cursor.put("\"")
        }
        let directory = borrowed(view.directory)
        if directory.count > 0 {
            cursor.put(",\"working_directory\":\"")
            string(directory, .processWorkingDirectory, &cursor)
            cursor.put("\"")
        }
        arguments(view, &cursor)
        user(actor, &cursor)
        own(header, view.actor, actor, cgroup: borrowed(view.cgroupPath), &cursor)
        details(view, &cursor)
        cursor.put("}")
        let flags = executable.count > 0 ? view.flags(of: HV_EXEC_EXECUTABLE) : []
        if !flags.isEmpty {
            cursor.put(",\"path\":{\"flags\":")
            Self.write(flags, &cursor)
            cursor.put("}")
        }
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }

    /// `process.args`, `.args_count` and `.command_line`; none of them where an exec failed before its arguments were read.
    @inline(__always)
    private mutating func arguments(_ view: borrowing ExecView, _ cursor: inout Cursor) {
        let bytes = borrowed(view.arguments)
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            if view.error == 0 || view.argumentCount > 0 {
                cursor.put(",\"args\":[],\"args_count\":")
                cursor.number(view.argumentCount)
            }
            return
        }
        let length = bytes[bytes.count &- 1] == 0 ? bytes.count &- 1 : bytes.count
        cursor.put(",\"args\":[\"")
        let elements = JSONString.writeElements(start, length, to: cursor.position)
        cursor.position = elements.end
        cursor.put("\"],\"args_count\":")
        cursor.number(view.argumentCount)
        cursor.put(",\"command_line\":\"")
        cursor.position = JSONString.writeLine(start, length, to: cursor.position).end
        cursor.put("\"")
        if elements.replaced {
            let whole = UnsafeRawBufferPointer(start: start, count: length)
            raw.note(.processArgs, whole)
            raw.note(.processCommandLine, whole)
        }
    }

    /// What ECS has no name for, in `hypervigil.process`.
    @inline(__always)
    private mutating func details(_ view: borrowing ExecView, _ cursor: inout Cursor) {
        let header = view.header
        let filename = borrowed(view.filename)
        if filename.count > 0 {
            cursor.put(",\"filename\":\"")
            string(filename, .execFilename, &cursor)
            cursor.put("\"")
        }
        let interpreter = borrowed(view.interpreter)
        if interpreter.count > 0 {
            cursor.put(",\"interpreter\":\"")
            string(interpreter, .execInterpreter, &cursor)
            cursor.put("\"")
        }
        if header.has(HV_EXEC_FILELESS) { cursor.put(",\"fileless\":true") }
        if header.has(HV_EXEC_MEMFD) { cursor.put(",\"memfd\":true") }
        if header.has(HV_EXEC_ARGS_TRUNCATED) {
            cursor.put(",\"args_truncated\":true,\"args_size\":")
            cursor.number(view.argumentSize)
        }
        if view.callingThread != view.actor.tid {
            cursor.put(",\"calling_thread\":")
            cursor.number(view.callingThread)
        }
        let executable = view.executableObject
        if executable.inode != 0 {
            cursor.put(",\"executable\":{")
            Self.write(executable, &cursor)
            cursor.closeObject()
        }
        let script = view.scriptObject
        if script.inode != 0 || header.has(HV_EXEC_SCRIPT_FILELESS) {
            cursor.put(",\"script\":{")
            if script.inode != 0 { Self.write(script, &cursor) }
            if header.has(HV_EXEC_SCRIPT_FILELESS) { cursor.put("\"fileless\":true") }
            cursor.closeObject()
        }
        if header.has(HV_EXEC_BEFORE) { before(view.before, &cursor) }
        let cut = view.flags(of: HV_EXEC_FILENAME)
            .union(view.flags(of: HV_EXEC_INTERPRETER)).union(view.flags(of: HV_EXEC_DIRECTORY)).union(view.flags(of: HV_EXEC_CGROUP))
            .union(view.flags(of: HV_EXEC_ARGS))
        if !cut.isDisjoint(with: [.truncated, .fault]) { incomplete(view, &cursor) }
    }

    @inline(__always)
    private func before(_ credentials: hv_credentials, _ cursor: inout Cursor) {
        cursor.put(",\"before\":{\"uid\":")
        cursor.quoted(credentials.uid)
        cursor.put(",\"euid\":")
        cursor.quoted(credentials.euid)
        cursor.put(",\"suid\":")
        cursor.quoted(credentials.suid)
        cursor.put(",\"gid\":")
        cursor.quoted(credentials.gid)
        cursor.put(",\"egid\":")
        cursor.quoted(credentials.egid)
        cursor.put(",\"sgid\":")
        cursor.quoted(credentials.sgid)
        cursor.put(",\"capabilities\":\"")
        cursor.hexadecimal(credentials.capabilities, width: 16)
        cursor.put("\"}")
    }

    /// `truncated` and `unreadable`: the names of the strings that are not whole.
    @inline(never)
    private func incomplete(_ view: borrowing ExecView, _ cursor: inout Cursor) {
        names(",\"truncated\":[", .truncated, view, &cursor)
        names(",\"unreadable\":[", .fault, view, &cursor)
    }

    private func names(_ key: StaticString, _ flag: StringFlags, _ view: borrowing ExecView, _ cursor: inout Cursor) {
        let empty = cursor
        cursor.copy(key.utf8Start, key.utf8CodeUnitCount)
        let open = cursor.position
        if view.flags(of: HV_EXEC_FILENAME).contains(flag) { cursor.put("\"filename\",") }
        if view.flags(of: HV_EXEC_INTERPRETER).contains(flag) { cursor.put("\"interpreter\",") }
        if view.flags(of: HV_EXEC_DIRECTORY).contains(flag) { cursor.put("\"working_directory\",") }
        if view.flags(of: HV_EXEC_CGROUP).contains(flag) { cursor.put("\"cgroup\",") }
        if view.flags(of: HV_EXEC_ARGS).contains(flag) { cursor.put("\"args\",") }
        if cursor.position == open { cursor = empty } else { cursor.closeArray() }
    }

    /// Other namespaces, or the refusal of them.
    @discardableResult
    public mutating func encode(_ view: borrowing NamespaceView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        begin(header, .namespaceChange, Outcome(error: view.error), severity: Action.namespaceChange.severity, ordinal: resolution.ordinal, &cursor)
        let actor = parts(view.actor, resolution.actor)
        processAndUser(actor, &cursor)
        own(header, view.actor, actor, &cursor)
        cursor.put("},\"namespace_change\":{")
        NamespaceNames.write("\"asked\":[", NamespaceSet(cloneFlags: view.asked), &cursor)
        switch hv_namespace_call(view.call) {
        case HV_NAMESPACE_UNSHARE: cursor.put("\"call\":\"unshare\"}")
        case HV_NAMESPACE_SETNS: cursor.put("\"call\":\"setns\"}")
        default: cursor.closeObject()
        }
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }

    @discardableResult
    public mutating func encode(_ view: borrowing ForkView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        begin(header, .fork, .success, severity: Action.fork.severity, ordinal: resolution.ordinal, &cursor)
        let actor = parts(view.actor, resolution.actor)
        processAndUser(actor, &cursor)
        own(header, view.actor, actor, &cursor)
        if view.forkerPid != view.actor.parentPid || view.forkerStart != view.actor.parentStart {
            cursor.put(",\"forker\":{\"pid\":")
            cursor.number(view.forkerPid)
            cursor.put(",")
            entity(view.forkerPid, view.forkerStart, &cursor)
            cursor.put("}")
        }
        cursor.put("}")
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }

    /// The end of a process: `process.exit_code` where it ended by itself, `hypervigil.process.signal` where it was killed.
    /// The outcome is that of the act, which took place; how the process fared is in these two.
    @discardableResult
    public mutating func encode(_ view: borrowing ExitView, _ resolution: borrowing Resolution, into writer: inout ByteWriter) -> Bool {
        var cursor = writer.reserve(bound(view.bytes, resolution))
        let header = view.header
        begin(header, .exit, .success, severity: Action.exit.severity, ordinal: resolution.ordinal, &cursor)
        let actor = parts(view.actor, resolution.actor)
        process(actor, &cursor)
        if view.signal == 0 {
            cursor.put(",\"exit_code\":")
            cursor.number(view.code)
        }
        cursor.put(",\"end\":\"")
        time(header.time, &cursor)
        cursor.put("\"")
        user(actor, &cursor)
        own(header, view.actor, actor, &cursor)
        if view.signal != 0 {
            cursor.put(",\"signal\":")
            cursor.number(view.signal)
            cursor.put(",\"core_dumped\":")
            cursor.boolean(view.dumpedCore)
        }
        cursor.put("}")
        finish(redacted: resolution.redacted, &cursor)
        writer.commit(cursor)
        return true
    }
}

extension ExecView {
    /// `event.severity`.
    @inline(__always)
    package func severity(_ outcome: Outcome) -> UInt32 {
        if outcome != .success { 20 } else if header.has(HV_EXEC_FILELESS | HV_EXEC_SCRIPT_FILELESS) { 60 } else { Action.exec.severity }
    }
}
