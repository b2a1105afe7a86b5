public import KernelABI

/// Reads the fields of a C struct out of bytes that need not be aligned.
///
/// Offsets come from the imported struct through its key path, which the optimiser folds to a constant. The caller has
/// checked that the struct lies within the bytes: every view does so once, when it is made.
extension RawSpan {
    @inlinable @inline(__always)
    func field<Record, Value: BitwiseCopyable>(_ path: KeyPath<Record, Value>) -> Value {
        unsafeLoadUnaligned(fromUncheckedByteOffset: MemoryLayout<Record>.offset(of: path).unsafelyUnwrapped, as: Value.self)
    }

    /// The bytes of a member that is a view of its own.
    @inlinable @inline(__always) @_lifetime(copy self)
    func member<Record, Value>(_ path: KeyPath<Record, Value>) -> RawSpan {
        let start = MemoryLayout<Record>.offset(of: path).unsafelyUnwrapped
        return extracting(unchecked: start..<(start &+ MemoryLayout<Value>.size))
    }

    /// A NUL-padded name, without its padding.
    @inlinable @inline(__always) @_lifetime(copy self)
    func name<Record, Value>(_ path: KeyPath<Record, Value>) -> RawSpan {
        let bytes = member(path)
        var length = 0
        while length < bytes.byteCount, bytes.unsafeLoad(fromUncheckedByteOffset: length, as: UInt8.self) != 0 { length &+= 1 }
        return bytes.extracting(unchecked: 0..<length)
    }

    /// Whether these are the bytes of a whole record of that kind: a fixed part, then its strings, the header says how long
    /// all of it is, and what is not carried (`HV_STRING_SUFFIX`) is in the string of the next slot, which is.
    @inlinable @inline(__always)
    func isRecord<Record>(_ type: Record.Type, kind: hv_kind, slots: Int = 0, at slotsOffset: Int = 0) -> Bool {
        guard byteCount >= MemoryLayout<Record>.size, Int(field(\hv_header.size)) == byteCount,
            UInt32(field(\hv_header.kind)) == kind.rawValue
        else { return false }
        // The longest suffix that the slot at hand may be; from the last slot on, where there is no next one.
        var room = -1
        var sum = 0
        var index = slots
        while index > 0 {
            index &-= 1
            let slot = stringSlot(index, at: slotsOffset)
            if slot.isSuffix {
                guard Int(slot.length) <= room else { return false }
                room = -1
            } else {
                room = Int(slot.length)
                sum &+= room
            }
        }
        return byteCount >= MemoryLayout<Record>.size &+ sum
    }

    /// Bytes that the first `slot` strings take in the record.
    @inlinable @inline(__always)
    func stringBytes(before slot: Int, at slotsOffset: Int) -> Int {
        var sum = 0
        for index in 0..<slot {
            let string = stringSlot(index, at: slotsOffset)
            sum &+= string.isSuffix ? 0 : Int(string.length)
        }
        return sum
    }

    @inlinable @inline(__always)
    func stringSlot(_ index: Int, at slotsOffset: Int) -> hv_string {
        unsafeLoadUnaligned(fromUncheckedByteOffset: slotsOffset &+ index &* MemoryLayout<hv_string>.stride, as: hv_string.self)
    }

    @inlinable @inline(__always) @_lifetime(copy self)
    func string<Record>(_ index: Int, of type: Record.Type, at slotsOffset: Int) -> RawSpan {
        var start = MemoryLayout<Record>.size &+ stringBytes(before: index, at: slotsOffset)
        let slot = stringSlot(index, at: slotsOffset)
        if slot.isSuffix { start &+= Int(stringSlot(index &+ 1, at: slotsOffset).length) &- Int(slot.length) }
        // Checked: a record whose lengths changed after its view was made would trap here and not read elsewhere.
        return extracting(start..<(start &+ Int(slot.length)))
    }

    /// What is to be said of a string. How it is carried is no part of that.
    @inlinable @inline(__always)
    func stringFlags(_ index: Int, at slotsOffset: Int) -> StringFlags {
        StringFlags(rawValue: stringSlot(index, at: slotsOffset).flags & ~UInt16(HV_STRING_SUFFIX))
    }
}

extension hv_string {
    /// No bytes of it are in the record: it is the end of the next slot's string.
    @inlinable @inline(__always)
    var isSuffix: Bool { flags & UInt16(HV_STRING_SUFFIX) != 0 }
}

/// What the kernel says of one string (`HV_STRING_*`, without `HV_STRING_SUFFIX`).
public struct StringFlags: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt16

    @inlinable @inline(__always)
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Cut: a path at its front (leading components are missing), others at their end.
    @inlinable public static var truncated: Self { Self(rawValue: UInt16(HV_STRING_TRUNCATED)) }
    /// The object has no name any more; this was the last one.
    @inlinable public static var deleted: Self { Self(rawValue: UInt16(HV_STRING_DELETED)) }
    /// The walk did not end at the root of a mount namespace.
    @inlinable public static var unreachable: Self { Self(rawValue: UInt16(HV_STRING_UNREACHABLE)) }
    /// The memory it lies in could not be read, in whole or in part.
    @inlinable public static var fault: Self { Self(rawValue: UInt16(HV_STRING_FAULT)) }
}

/// What every record begins with.
public struct HeaderView: ~Escapable {
    public let bytes: RawSpan

    /// Nil where the bytes are shorter than a header or not as long as the header says. The kind is not looked at.
    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= MemoryLayout<hv_header>.size, Int(bytes.field(\hv_header.size)) == bytes.byteCount else { return nil }
        self.bytes = bytes
    }

    @inlinable @inline(__always) @_lifetime(copy bytes)
    init(validated bytes: RawSpan) { self.bytes = bytes }

    /// Bytes of the whole record, strings included.
    @inlinable public var size: UInt32 { bytes.field(\hv_header.size) }
    /// An `hv_kind`, or a number this program does not know.
    @inlinable public var kind: UInt16 { bytes.field(\hv_header.kind) }
    /// `HV_EXEC_*`, `HV_FILE_*` or `HV_MODULE_*`, of the kind at hand.
    @inlinable public var flags: UInt16 { bytes.field(\hv_header.flags) }
    /// Number within its ring and CPU, from 0, without gaps.
    @inlinable public var sequence: UInt64 { bytes.field(\hv_header.sequence) }
    /// CLOCK_BOOTTIME, nanoseconds.
    @inlinable public var time: UInt64 { bytes.field(\hv_header.time) }
    @inlinable public var ring: UInt16 { bytes.field(\hv_header.ring) }
    @inlinable public var cpu: UInt16 { bytes.field(\hv_header.cpu) }

    /// Whether a flag of the record's kind is set.
    @inlinable @inline(__always)
    public func has(_ flag: Int32) -> Bool { UInt32(flags) & UInt32(bitPattern: flag) != 0 }
}
