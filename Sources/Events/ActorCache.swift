internal import Glibc
internal import KernelABI
internal import Rings

/// What the events of an actor have in common, encoded: the members of `process` that follow from the actor, `user` and
/// `group`, and those of `hypervigil.process`. One behind the other, since that is how most events have them.
struct ActorParts {
    let start: UnsafeRawPointer
    /// Where each part ends, in bytes from `start`.
    var ends: Ends

    struct Ends {
        /// `process`, left open, without what it runs, which an exec tells itself.
        var identity = 0
        /// `process`, left open.
        var process = 0
        /// The end of `process`, `user` and `group`, and what else is known of the actor at the top level.
        var user = 0
        /// `hypervigil.process` with `cgroup`, both left open.
        var cgroup = 0
        /// The end of `cgroup`, and the rest but the task's flags, left open.
        var rest = 0
    }
}

/// The encoded parts of actors that were just seen: a process's events in a row repeat them byte for byte.
///
/// Direct-mapped and of a fixed size. The key is the whole of `hv_actor` but the task's flags, which come and go in the
/// middle of a system call and are in no part, so that whatever else changes in it makes the parts anew, and the version of what is known
/// beside it; what they depend on beyond that is the encoder's context and its clock, which forgets them all when it is stepped.
struct ActorCache: ~Copyable {
    private static let slots = 64
    private static let keyBytes = MemoryLayout<hv_actor>.size
    private static var flagsOffset: Int { @inline(__always) get { MemoryLayout<hv_actor>.offset(of: \.task_flags).unsafelyUnwrapped } }

    /// Of a slot's encoded parts: 1,400 at most without names, images and parents, and the beginnings of two entity ids. Pages that no
    /// actor reaches cost nothing.
    private let room: Int
    /// For parts that are larger than that.
    private var large: UnsafeMutableRawBufferPointer
    private let bytes: UnsafeMutableRawPointer
    private let keys: UnsafeMutableRawPointer
    /// `rest` of 0: nothing is known.
    private let ends: UnsafeMutablePointer<ActorParts.Ends>
    /// `ActorFacts.version`, by slot.
    private let versions: UnsafeMutablePointer<UInt64>

    init(entityIDBytes: Int) {
        precondition(Self.flagsOffset % 8 == 0 && Self.keyBytes % 8 == 0, "keys are compared by words")
        room = (12_288 + 2 * entityIDBytes + Cursor.slack) & ~15
        large = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        bytes = .allocate(byteCount: Self.slots * room, alignment: 16)
        keys = .allocate(byteCount: Self.slots * Self.keyBytes, alignment: 16)
        ends = .allocate(capacity: Self.slots)
        ends.initialize(repeating: ActorParts.Ends(), count: Self.slots)
        versions = .allocate(capacity: Self.slots)
        versions.initialize(repeating: 0, count: Self.slots)
    }

    deinit {
        bytes.deallocate()
        keys.deallocate()
        ends.deallocate()
        versions.deallocate()
        large.deallocate()
    }

    @inline(__always)
    func slot(_ actor: borrowing ActorView) -> Int {
        let mixed = actor.start ^ UInt64(actor.pid) &<< 20 ^ UInt64(actor.tid) &<< 40
        return Int(truncatingIfNeeded: (mixed &* 0x9e37_79b9_7f4a_7c15) &>> 58)
    }

    /// The parts, valid until the next `store`; nil where they are not known.
    @inline(__always)
    func find(_ actor: borrowing ActorView, _ slot: Int, version: UInt64) -> ActorParts? {
        guard ends[slot].rest != 0, versions[slot] == version, let key = borrowed(actor.bytes).baseAddress, Self.agree(keys + slot &* Self.keyBytes, key) else {
            return nil
        }
        return ActorParts(start: bytes + slot &* room, ends: ends[slot])
    }

    /// Whether two actors are the same but for their task's flags.
    @inline(__always)
    private static func agree(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Bool {
        var difference: UInt64 = 0
        for at in stride(from: 0, to: flagsOffset, by: 8) {
            difference |= one.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ other.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        }
        let behind = flagsOffset &+ 4
        difference |= UInt64(one.loadUnaligned(fromByteOffset: behind, as: UInt32.self) ^ other.loadUnaligned(fromByteOffset: behind, as: UInt32.self))
        for at in stride(from: flagsOffset &+ 8, to: keyBytes, by: 8) {
            difference |= one.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ other.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        }
        return difference == 0
    }

    /// Where a slot's parts are to be written, with room for those that take `bound` bytes at most; what it had is gone.
    mutating func clear(_ slot: Int, bound: Int) -> UnsafeMutableRawPointer {
        ends[slot].rest = 0
        if bound + Cursor.slack <= room { return bytes + slot &* room }
        if large.count < bound + Cursor.slack {
            large.deallocate()
            large = .allocate(byteCount: bound + Cursor.slack, alignment: 16)
        }
        return large.baseAddress.unsafelyUnwrapped
    }

    /// - Parameters:
    ///   - start: what `clear` gave.
    ///   - reusable: false for parts that are right for the event at hand only.
    func store(
        _ actor: borrowing ActorView, _ slot: Int, _ start: UnsafeMutableRawPointer, _ parts: ActorParts.Ends, version: UInt64, reusable: Bool
    ) -> ActorParts {
        let inSlot = start == bytes + slot &* room
        precondition(parts.rest <= (inSlot ? room : large.count) &- Cursor.slack, "an actor outgrew its room")
        if reusable, inSlot, let key = borrowed(actor.bytes).baseAddress {
            memcpy(keys + slot &* Self.keyBytes, key, Self.keyBytes)
            ends[slot] = parts
            versions[slot] = version
        }
        return ActorParts(start: UnsafeRawPointer(start), ends: parts)
    }

    func forgetAll() {
        for slot in 0..<Self.slots { ends[slot].rest = 0 }
    }
}
