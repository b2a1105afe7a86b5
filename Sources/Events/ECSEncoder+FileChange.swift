internal import Glibc
internal import KernelABI
package import Rings

/// What is told of a change beyond the object and its names: `hypervigil.write`, `.change` and `.mount`.
extension ECSEncoder {
    /// `hypervigil.write`: contents that changed, or by whom a ring's entry was done.
    @inline(__always)
    mutating func written(_ view: borrowing FileView, _ action: Action, _ cursor: inout Cursor) {
        let header = view.header
        let ring = header.has(HV_FILE_IO_URING)
        switch action {
        case .write:
            cursor.put(",\"write\":{\"operations\":")
            if view.operations < 100 { cursor.small(UInt32(truncatingIfNeeded: view.operations)) } else { cursor.long(view.operations) }
            cursor.put(",")
            if header.has(HV_FILE_BYTES) { Self.long("\"bytes\":", view.value, &cursor) }
            if header.has(HV_FILE_OFFSET) { Self.long("\"offset\":", view.value2, &cursor) }
            Self.long("\"size_before\":", view.sizeBefore, &cursor)
            cursor.put("\"first\":\"")
            time(view.first, &cursor)
            cursor.put("\",\"last\":\"")
            time(view.last, &cursor)
            cursor.put("\",")
        case .truncate:
            cursor.put(",\"write\":{")
            if view.object.inode != 0 { Self.long("\"size_before\":", view.object.size, &cursor) }
        case .kernelParameter:
            cursor.put(",\"write\":{")
            Self.long("\"bytes\":", view.value, &cursor)
        default:
            guard ring else { return }
            cursor.put(",\"write\":{")
        }
        let ways = view.ways(action)
        if ways != 0 { WriteWays.write(ways, &cursor) }
        // Who put the entry into the ring can't be known.
        if ring { cursor.put("\"owner\":true,") }
        if action == .write {
            if header.has(HV_FILE_EVICTED) { cursor.put("\"evicted\":true,") }
            if header.has(HV_FILE_OPEN) { cursor.put("\"open\":true,") } else if header.has(HV_FILE_CLOSED) { cursor.put("\"open\":false,") }
        }
        cursor.closeObject()
    }

    /// `hypervigil.change`: what was asked for of an object's attributes, and what it had before.
    @inline(__always)
    mutating func changed(_ view: borrowing FileView, _ action: Action, _ cursor: inout Cursor) {
        switch action {
        case .chmod, .chown, .setxattr, .removexattr, .setflags, .mkdir, .mknod: attributes(view, action, &cursor)
        default: break
        }
    }

    @inline(never)
    private mutating func attributes(_ view: borrowing FileView, _ action: Action, _ cursor: inout Cursor) {
        cursor.put(",\"change\":{")
        let before = view.object
        let known = before.inode != 0
        switch action {
        case .chmod:
            Self.mode("\"mode\":\"", view.value, &cursor)
            if known { Self.mode("\"mode_before\":\"", UInt64(before.mode), &cursor) }
        case .chown:
            Self.identifier("\"uid\":", view.value, &cursor)
            Self.identifier("\"gid\":", view.value2, &cursor)
            if known {
                Self.identifier("\"uid_before\":", UInt64(before.uid), &cursor)
                Self.identifier("\"gid_before\":", UInt64(before.gid), &cursor)
            }
        case .setxattr, .removexattr:
            text("\"xattr\":\"", borrowed(view.text), .changeXattr, &cursor)
            if action == .setxattr { Self.long("\"size\":", view.value, &cursor) }
            let flags = view.flags(of: HV_FILE_TEXT)
            if flags.contains(.truncated) { cursor.put("\"truncated\":[\"xattr\"],") }
            if flags.contains(.fault) { cursor.put("\"unreadable\":[\"xattr\"],") }
        case .setflags:
            Self.flags("\"flags\":[", view.value, hv_file_flag_name, &cursor)
            Self.flags("\"flags_before\":[", view.value2, hv_file_flag_name, &cursor)
        default:
            Self.mode("\"mode\":\"", view.value, &cursor)
            if action == .mknod, view.isDeviceNode {
                cursor.put("\"device\":\"")
                cursor.device(UInt32(truncatingIfNeeded: view.value2))
                cursor.put("\",")
            }
        }
        cursor.closeObject()
    }

    /// `hypervigil.mount`.
    @inline(never)
    mutating func mounted(_ view: borrowing FileView, _ action: Action, _ cursor: inout Cursor) {
        cursor.put(",\"mount\":{")
        if let operation = view.mountOperation {
            cursor.put("\"operation\":\"")
            cursor.copy(operation.utf8Start, operation.utf8CodeUnitCount)
            cursor.put("\",")
        }
        text("\"source\":\"", borrowed(view.text), .mountSource, &cursor)
        text("\"type\":\"", borrowed(view.text2), .mountType, &cursor)
        if action == .mount { Self.flags("\"flags\":[", view.mountFlags, hv_mount_flag_name, &cursor) }
        mountStrings("\"truncated\":[", .truncated, view, &cursor)
        mountStrings("\"unreadable\":[", .fault, view, &cursor)
        cursor.closeObject()
    }

    /// Names of the strings of which a flag is to be said.
    private func mountStrings(_ name: StaticString, _ flag: StringFlags, _ view: borrowing FileView, _ cursor: inout Cursor) {
        let source = view.flags(of: HV_FILE_TEXT).contains(flag)
        let type = view.flags(of: HV_FILE_TEXT_2).contains(flag)
        guard source || type else { return }
        cursor.put(name)
        if source { cursor.put("\"source\",") }
        if type { cursor.put("\"type\",") }
        cursor.closeArray()
        cursor.put(",")
    }

    // MARK: Members, each with a comma behind it, and left out where it is not known

    private mutating func text(_ name: StaticString, _ bytes: UnsafeRawBufferPointer, _ field: RawField, _ cursor: inout Cursor) {
        guard bytes.count > 0 else { return }
        cursor.put(name)
        string(bytes, field, &cursor)
        cursor.put("\",")
    }

    @inline(__always)
    private static func long(_ name: StaticString, _ value: UInt64, _ cursor: inout Cursor) {
        guard value != .max else { return }
        cursor.put(name)
        cursor.long(value)
        cursor.put(",")
    }

    private static func mode(_ name: StaticString, _ value: UInt64, _ cursor: inout Cursor) {
        guard value != .max else { return }
        cursor.put(name)
        cursor.octal(UInt32(truncatingIfNeeded: value))
        cursor.put("\",")
    }

    private static func identifier(_ name: StaticString, _ value: UInt64, _ cursor: inout Cursor) {
        guard value != .max else { return }
        cursor.put(name)
        cursor.quoted(value)
        cursor.put(",")
    }

    private static func flags(
        _ name: StaticString, _ bits: UInt64, _ word: @convention(c) (UInt32) -> UnsafePointer<CChar>?, _ cursor: inout Cursor
    ) {
        guard bits != .max else { return }
        cursor.put(name)
        FlagWords.each(bits, word) { bytes in
            cursor.put("\"")
            if let start = bytes.baseAddress { cursor.copy(start, bytes.count) }
            cursor.put("\",")
        }
        cursor.closeArray()
        cursor.put(",")
    }
}

extension FileView {
    /// `HV_VIA_*` that are told of an action.
    @inline(__always)
    package func ways(_ action: Action) -> UInt32 {
        let ring = header.has(HV_FILE_IO_URING) ? UInt32(HV_VIA_IO_URING) : 0
        return switch action {
        case .write: via | ring
        case .truncate: via | ring | UInt32(HV_VIA_TRUNCATE)
        default: ring
        }
    }

    /// Mknod: whether the node asked for is a device's.
    package var isDeviceNode: Bool {
        let type = UInt32(truncatingIfNeeded: value) & UInt32(S_IFMT)
        return type == UInt32(S_IFCHR) || type == UInt32(S_IFBLK)
    }

    /// Mount, umount: nil for an operation that is not known.
    package var mountOperation: StaticString? {
        if action == HV_FILE_UMOUNT.rawValue { return "umount" }
        return switch UInt32(exactly: value2) {
        case HV_MOUNT_NEW.rawValue: "mount"
        case HV_MOUNT_BIND.rawValue: "bind"
        case HV_MOUNT_MOVE.rawValue: "move"
        case HV_MOUNT_REMOUNT.rawValue: "remount"
        case HV_MOUNT_PROPAGATION.rawValue: "propagation"
        case HV_MOUNT_PIVOT_ROOT.rawValue: "pivot_root"
        default: nil
        }
    }

    /// Mount: `MS_*`, without the magic number that old callers put into the high half (path_mount() in fs/namespace.c drops it).
    package var mountFlags: UInt64 { value & 0xffff_ffff_ffff_0000 == 0xc0ed_0000 ? value & 0xffff : value }
}

/// `hypervigil.write.via`.
package enum WriteWays {
    /// By the number of their bit, `HV_VIA_*`.
    package static let names: [StaticString] = [
        "write", "mmap", "io_uring", "aio", "sendfile", "splice", "copy_file_range", "reflink", "fallocate", "truncate", "kernel", "other",
    ]

    /// Writes `"via":"...",`, or an array where it is several ways. A bit that has no name here is `bit_<number>`.
    @inline(__always)
    static func write(_ ways: UInt32, _ cursor: inout Cursor) {
        // What most changes are.
        if ways == UInt32(HV_VIA_WRITE) { cursor.put("\"via\":\"write\",") } else { any(ways, &cursor) }
    }

    @inline(never)
    private static func any(_ ways: UInt32, _ cursor: inout Cursor) {
        let several = ways.nonzeroBitCount > 1
        cursor.put("\"via\":")
        if several { cursor.put("[") }
        var rest = ways
        while rest != 0 {
            let bit = rest.trailingZeroBitCount
            rest &= rest &- 1
            cursor.put("\"")
            if bit < names.count {
                cursor.copy(names[bit].utf8Start, names[bit].utf8CodeUnitCount)
            } else {
                cursor.put("bit_")
                cursor.number(UInt64(bit))
            }
            cursor.put("\",")
        }
        if several {
            cursor.closeArray()
            cursor.put(",")
        }
    }
}

/// Flags as words.
package enum FlagWords {
    /// Calls `body` with the word of each bit, the lowest first, then with the bits that have none as one number, `0x...`.
    package static func each(
        _ bits: UInt64, _ word: @convention(c) (UInt32) -> UnsafePointer<CChar>?, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var unnamed = bits & ~UInt64(UInt32.max)
        var rest = UInt32(truncatingIfNeeded: bits)
        while rest != 0 {
            let bit = rest & (0 &- rest)
            rest &= rest &- 1
            if let name = word(bit) { body(UnsafeRawBufferPointer(start: name, count: strlen(name))) } else { unnamed |= UInt64(bit) }
        }
        guard unnamed != 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { room in
            guard let start = room.baseAddress else { return }
            var cursor = Cursor(start)
            cursor.put("0x")
            cursor.hexadecimal(unnamed, width: (67 - unnamed.leadingZeroBitCount) / 4)
            body(UnsafeRawBufferPointer(start: start, count: cursor.position - start))
        }
    }
}
