internal import Events
internal import Glibc
internal import KernelABI
internal import Rings

/// What was put together for the processes that acted last, each with what it is right for. Direct-mapped, of a fixed size; a look-up allocates nothing.
struct FactsCache: ~Copyable {
    struct Slot {
        var facts = ActorFacts()
        /// Nil: the slot has nothing.
        var entry: ProcessEntry.Reference?
        var parentPid: UInt32 = 0
        var parentStart: UInt64 = 0
        /// Of all tables together, when it was last found to be right.
        var changes: UInt64 = 0
        /// It is right for events from this time on.
        var since: UInt64 = 0
        var filledAt: UInt64 = 0
        var epoch: UInt64 = 0
    }

    /// Copies of what tables lend for a shorter time.
    enum Copy: Int, CaseIterable { case hash, packageName, packageVersion }
    static let longestCopy = 256

    private static let bits: UInt64 = 6
    private let slots: UnsafeMutablePointer<Slot>
    private let ancestors: UnsafeMutablePointer<ActorFacts.Ancestor>
    private let mostAncestors: Int
    private let ids: UnsafeMutableRawPointer
    private let copies: UnsafeMutableRawPointer

    /// Where an actor's ids are, and how many bytes they take: from the real user to the terminal, back to back (bpf/record.h).
    private static var idPlace: Int { @inline(__always) get { MemoryLayout<hv_actor>.offset(of: \.uid).unsafelyUnwrapped } }
    private static let idBytes = MemoryLayout<hv_actor>.offset(of: \.task_flags).unsafelyUnwrapped - MemoryLayout<hv_actor>.offset(of: \.uid).unsafelyUnwrapped

    init(ancestors most: Int) {
        let count = 1 << Int(Self.bits)
        mostAncestors = most + 1
        slots = .allocate(capacity: count)
        slots.initialize(repeating: Slot(), count: count)
        // Pages that no chain of parents reaches cost nothing.
        ancestors = .allocate(capacity: count * mostAncestors)
        ids = .allocate(byteCount: count * Self.idBytes, alignment: 8)
        copies = .allocate(byteCount: count * Copy.allCases.count * Self.longestCopy, alignment: 8)
    }

    deinit {
        slots.deallocate()
        ancestors.deallocate()
        ids.deallocate()
        copies.deallocate()
    }

    @inline(__always)
    func slot(_ entry: ProcessEntry.Reference) -> UnsafeMutablePointer<Slot> {
        let number = UInt64(UInt(bitPattern: entry)) &* 0x9e37_79b9_7f4a_7c15
        return slots + Int(truncatingIfNeeded: number &>> (64 &- Self.bits))
    }

    @inline(__always)
    private func number(_ slot: UnsafeMutablePointer<Slot>) -> Int { slot - slots }

    @inline(__always)
    func hasSameIDs(_ slot: UnsafeMutablePointer<Slot>, _ actor: borrowing ActorView) -> Bool {
        actor.bytes.withUnsafeBytes { memcmp($0.baseAddress.unsafelyUnwrapped + Self.idPlace, ids + number(slot) &* Self.idBytes, Self.idBytes) == 0 }
    }

    func keepIDs(_ slot: UnsafeMutablePointer<Slot>, _ actor: borrowing ActorView) {
        actor.bytes.withUnsafeBytes { _ = memcpy(ids + number(slot) * Self.idBytes, $0.baseAddress.unsafelyUnwrapped + Self.idPlace, Self.idBytes) }
    }

    /// Room for a slot's parents.
    func ancestors(_ slot: UnsafeMutablePointer<Slot>) -> UnsafeMutablePointer<ActorFacts.Ancestor> { ancestors + number(slot) * mostAncestors }

    func copy(_ bytes: UnsafeRawBufferPointer, _ slot: UnsafeMutablePointer<Slot>, _ place: Copy) -> UnsafeRawBufferPointer {
        let to = copies + (number(slot) * Copy.allCases.count + place.rawValue) * Self.longestCopy
        let count = min(bytes.count, Self.longestCopy)
        if let start = bytes.baseAddress { memcpy(to, start, count) }
        return UnsafeRawBufferPointer(start: to, count: count)
    }
}
