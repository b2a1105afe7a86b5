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
        /// `process`, left open.
        var process = 0
        /// The end of `process`, and `user` and `group`.
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
/// middle of a system call and are in no part, so that whatever else changes in it makes the parts anew; what they depend
/// on beside it is the encoder's context and its clock, which forgets them all when it is stepped.
struct ActorCache: ~Copyable {
    private static let slots = 64
    private static let keyBytes = MemoryLayout<hv_actor>.size
    private static var flagsOffset: Int { @inline(__always) get { MemoryLayout<hv_actor>.offset(of: \.task_flags).unsafelyUnwrapped } }

    /// Of a slot's encoded parts: 1,400 at most, and the beginnings of two entity ids.
    private let room: Int
    private let bytes: UnsafeMutableRawPointer
    private let keys: UnsafeMutableRawPointer
    /// `rest` of 0: nothing is known.
    private let ends: UnsafeMutablePointer<ActorParts.Ends>

    init(entityIDBytes: Int) {
        precondition(Self.flagsOffset % 8 == 0 && Self.keyBytes % 8 == 0, "keys are compared by words")
        room = (2048 + 2 * entityIDBytes + Cursor.slack) & ~15
        bytes = .allocate(byteCount: Self.slots * room, alignment: 16)
        keys = .allocate(byteCount: Self.slots * Self.keyBytes, alignment: 16)
        ends = .allocate(capacity: Self.slots)
        ends.initialize(repeating: ActorParts.Ends(), count: Self.slots)
    }

    deinit {
        bytes.deallocate()
        keys.deallocate()
        ends.deallocate()
    }

    @inline(__always)
    func slot(_ actor: borrowing ActorView) -> Int {
        let mixed = actor.start ^ UInt64(actor.pid) &<< 20 ^ UInt64(actor.tid) &<< 40
        return Int(truncatingIfNeeded: (mixed &* 0x9e37_79b9_7f4a_7c15) &>> 58)
    }

    /// The parts, valid until the next `store`; nil where they are not known.
    @inline(__always)
    func find(_ actor: borrowing ActorView, _ slot: Int) -> ActorParts? {
        guard ends[slot].rest != 0, let key = borrowed(actor.bytes).baseAddress, Self.agree(keys + slot &* Self.keyBytes, key) else {
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

    /// Where a slot's parts are to be written; what it had is gone.
    func clear(_ slot: Int) -> UnsafeMutableRawPointer {
        ends[slot].rest = 0
        return bytes + slot &* room
    }

    /// - Parameter reusable: false for parts that are right for the event at hand only.
    func store(_ actor: borrowing ActorView, _ slot: Int, _ parts: ActorParts.Ends, reusable: Bool) -> ActorParts {
        precondition(parts.rest <= room &- Cursor.slack, "an actor outgrew its room")
        if reusable, let key = borrowed(actor.bytes).baseAddress {
            memcpy(keys + slot &* Self.keyBytes, key, Self.keyBytes)
            ends[slot] = parts
        }
        return ActorParts(start: bytes + slot &* room, ends: parts)
    }

    func forgetAll() {
        for slot in 0..<Self.slots { ends[slot].rest = 0 }
    }
}
