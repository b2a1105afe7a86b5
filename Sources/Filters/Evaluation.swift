internal import Events
internal import FilterLanguage
internal import Glibc
internal import KernelABI
internal import Rings

/// Values of fields where a test wants them: those that all records have, and where the others are asked for.
struct Evaluation: ~Copyable {
    typealias Bytes = UnsafeRawBufferPointer

    let paths = JoinedPaths()
    private let constants: UnsafeRawPointer
    /// Texts that have to be made first: arguments in a line (at most `UInt16.max` bytes), numbers as digits.
    private let room = UnsafeMutableRawPointer.allocate(byteCount: Int(UInt16.max) + 64, alignment: 16)

    init(constants: UnsafeRawPointer) { self.constants = constants }

    deinit { room.deallocate() }

    @inline(__always)
    func has<Record: FilteredRecord & ~Escapable>(_ field: Field, _ record: borrowing Record, _ resolution: borrowing Resolution) -> Bool {
        switch field.type {
        case .string, .strings: text(field, .anything, record, resolution)
        case .number, .identifier: number(field, record, resolution) != nil
        case .boolean: boolean(field, record, resolution) != nil
        }
    }

    @inline(__always)
    func text<Record: FilteredRecord & ~Escapable>(
        _ field: Field, _ test: TextTest, _ record: borrowing Record, _ resolution: borrowing Resolution
    ) -> Bool {
        switch field {
        case .event(let field): return event(field, test, record.outcome(resolution))
        case .actor(let field): return actor(field, test, record.actor)
        case .facts(let field):
            if let known = record.holds(test, ofImage: field, self) { return known }
            guard let facts = resolution.actor else { return false }
            return fact(field, test, facts)
        default: return record.holds(test, of: field, resolution, self)
        }
    }

    @inline(__always)
    func number<Record: FilteredRecord & ~Escapable>(_ field: Field, _ record: borrowing Record, _ resolution: borrowing Resolution) -> UInt64? {
        switch field {
        case .event: UInt64(record.severity(record.outcome(resolution)))
        case .actor(let field): number(field, record.actor)
        case .facts(let field): Self.number(field, resolution.actor)
        default: record.number(of: field, resolution)
        }
    }

    @inline(__always)
    func boolean<Record: FilteredRecord & ~Escapable>(_ field: Field, _ record: borrowing Record, _ resolution: borrowing Resolution) -> Bool? {
        switch field {
        case .actor: record.actor.terminal != 0
        case .facts(let field): Self.boolean(field, resolution.actor)
        default: record.boolean(of: field)
        }
    }

    // MARK: Tests

    @inline(__always)
    func holds(_ test: TextTest, _ text: Bytes) -> Bool { test.passes(text, constants) }

    /// The same where an empty text is none.
    @inline(__always)
    func holdsSome(_ test: TextTest, _ text: Bytes) -> Bool { text.count > 0 && test.passes(text, constants) }

    @inline(__always)
    func holds(_ test: TextTest, _ word: StaticString) -> Bool {
        test.passes(Bytes(start: word.utf8Start, count: word.utf8CodeUnitCount), constants)
    }

    /// Of digits and their like, at most 64 bytes, that `write` makes.
    @inline(never)
    func holds(_ test: TextTest, _ write: (inout Cursor) -> Void) -> Bool {
        var cursor = Cursor(room)
        write(&cursor)
        return test.passes(Bytes(start: room, count: cursor.position - room), constants)
    }

    /// Of the names of the bits that are set, `bit_<number>` where one has none.
    @inline(never)
    func any(_ test: TextTest, _ bits: UInt64, _ names: [StaticString]) -> Bool {
        var rest = bits
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            if bit < names.count {
                if holds(test, names[bit]) { return true }
            } else if holds(test, {
                $0.put("bit_")
                $0.number(UInt32(bit))
            }) {
                return true
            }
        }
        return false
    }

    @inline(never)
    func any(_ test: TextTest, _ flags: StringFlags) -> Bool {
        flags.contains(.truncated) && holds(test, "truncated") || flags.contains(.deleted) && holds(test, "deleted")
            || flags.contains(.unreachable) && holds(test, "unreachable") || flags.contains(.fault) && holds(test, "unreadable")
    }

    /// Of arguments, each ended by a NUL; the last may have none.
    @inline(never)
    func anyArgument(_ test: TextTest, _ arguments: Bytes) -> Bool {
        guard let start = arguments.baseAddress, arguments.count > 0 else { return false }
        let end = arguments[arguments.count &- 1] == 0 ? arguments.count &- 1 : arguments.count
        var from = 0
        while true {
            let nul = memchr(start + from, 0, end &- from).map { UnsafeRawPointer($0) - start } ?? end
            if holds(test, Bytes(start: start + from, count: nul &- from)) { return true }
            guard nul < end else { return false }
            from = nul &+ 1
        }
    }

    /// Of the same in a line, with spaces between them.
    @inline(never)
    func line(_ test: TextTest, _ arguments: Bytes) -> Bool {
        guard let start = arguments.baseAddress, arguments.count > 0 else { return false }
        let count = min(arguments[arguments.count &- 1] == 0 ? arguments.count &- 1 : arguments.count, Int(UInt16.max))
        let line = room.assumingMemoryBound(to: UInt8.self)
        for index in 0..<count {
            let byte = start.load(fromByteOffset: index, as: UInt8.self)
            line[index] = byte == 0 ? UInt8(ascii: " ") : byte
        }
        return holds(test, Bytes(start: room, count: count))
    }

    // MARK: Of all records

    @inline(never)
    private func event(_ field: EventField, _ test: TextTest, _ outcome: Outcome) -> Bool {
        switch field {
        case .outcome:
            switch outcome {
            case .success: holds(test, "success")
            case .failure: holds(test, "failure")
            case .unknown: holds(test, "unknown")
            }
        case .errorCode:
            if case .failure(let number) = outcome {
                if let name = ErrnoNames.name(number) { holds(test, name) } else { holds(test) { $0.number(number) } }
            } else {
                false
            }
        // These are no tests of a text but of the action (`ActionSet`).
        case .kind, .category, .type, .action, .severity: false
        }
    }

    @inline(__always)
    private func actor(_ field: ActorField, _ test: TextTest, _ actor: borrowing ActorView) -> Bool {
        switch field {
        case .name: holds(test, borrowed(actor.name))
        case .parentName: holds(test, borrowed(actor.parentName))
        case .capabilities: capabilities(test, actor.capabilities)
        case .flags: taskFlags(test, actor.taskFlags & TaskFlags.known)
        default: false
        }
    }

    func capabilities(_ test: TextTest, _ value: UInt64) -> Bool { holds(test) { $0.hexadecimal(value, width: 16) } }

    @inline(never)
    private func taskFlags(_ test: TextTest, _ flags: UInt32) -> Bool {
        for (bit, name) in TaskFlags.names where flags & bit != 0 && holds(test, name) { return true }
        return false
    }

    @inline(__always)
    private func number(_ field: ActorField, _ actor: borrowing ActorView) -> UInt64? {
        func known(_ value: UInt32, unless none: UInt32) -> UInt64? { value == none ? nil : UInt64(value) }
        let terminal = actor.terminal
        return switch field {
        case .pid: UInt64(actor.pid)
        case .thread: UInt64(actor.tid)
        case .savedUser: UInt64(actor.savedUid)
        case .savedGroup: UInt64(actor.savedGid)
        case .parentPid: UInt64(actor.parentPid)
        case .terminalMajor: terminal == 0 ? nil : UInt64(terminal >> 20)
        case .terminalMinor: terminal == 0 ? nil : UInt64(terminal & 0xfffff)
        case .user: UInt64(actor.uid)
        case .effectiveUser: UInt64(actor.effectiveUid)
        case .effectiveGroup: UInt64(actor.effectiveGid)
        case .loginUser: known(actor.loginUid, unless: .max)
        case .group: UInt64(actor.gid)
        case .mountNamespace: known(actor.mountNamespace, unless: 0)
        case .pidNamespace: known(actor.pidNamespace, unless: 0)
        case .userNamespace: known(actor.userNamespace, unless: 0)
        case .networkNamespace: known(actor.networkNamespace, unless: 0)
        case .ipcNamespace: known(actor.ipcNamespace, unless: 0)
        case .utsNamespace: known(actor.utsNamespace, unless: 0)
        case .cgroupNamespace: known(actor.cgroupNamespace, unless: 0)
        case .cgroup: actor.cgroup
        case .session: known(actor.session, unless: .max)
        case .name, .parentName, .interactive, .capabilities, .flags: nil
        }
    }
}

/// An inode's fields.
extension Evaluation {
    @inline(never)
    func object(_ field: ObjectField, _ test: TextTest, _ object: hv_object) -> Bool {
        switch field {
        case .device: holds(test) { $0.device(object.device) }
        case .mode: mode(test, object.mode)
        case .type:
            switch object.mode & UInt32(S_IFMT) {
            case UInt32(S_IFREG): holds(test, "file")
            case UInt32(S_IFDIR): holds(test, "dir")
            case UInt32(S_IFLNK): holds(test, "symlink")
            case UInt32(S_IFCHR): holds(test, "character")
            case UInt32(S_IFBLK): holds(test, "block")
            case UInt32(S_IFIFO): holds(test, "fifo")
            case UInt32(S_IFSOCK): holds(test, "socket")
            default: false
            }
        case .inode, .uid, .gid, .size: false
        }
    }

    func mode(_ test: TextTest, _ mode: UInt32) -> Bool { holds(test) { $0.octal(mode) } }

    static func number(_ field: ObjectField, _ object: hv_object) -> UInt64? {
        switch field {
        case .inode: object.inode
        case .uid: UInt64(object.uid)
        case .gid: UInt64(object.gid)
        case .size: long(object.size)
        case .device, .mode, .type: nil
        }
    }
}

/// A number as events have it: all ones are not known, and none is above 2^63 - 1.
@inline(__always)
func long(_ value: UInt64) -> UInt64? { value == .max ? nil : min(value, UInt64(Int64.max)) }

/// An identifier, where it is known.
@inline(__always)
func identifier(_ value: UInt64) -> UInt64? { value == .max ? nil : value }
