internal import Glibc

/// What is known of files, by identity: sets of four ways in flat memory, of which the pages that are used become resident. In a full set the
/// one that was looked at longest ago makes room.
struct IdentityTable<Value: BitwiseCopyable>: ~Copyable {
    struct Entry: BitwiseCopyable {
        var identity: FileIdentity
        var used: UInt32
        var state: State
        var value: Value
    }

    enum State: UInt8, BitwiseCopyable { case free, pending, done }

    private static var ways: Int { 4 }
    private let entries: UnsafeMutablePointer<Entry>
    private let mask: UInt64
    /// So that nobody can pick files that fall into one set.
    private let seed = UInt64.random(in: .min ... .max) | 1
    private var clock: UInt32 = 0
    private(set) var evicted: UInt64 = 0

    /// - Parameter capacity: rounded up to a power of two.
    init(capacity: Int) {
        var sets = 1
        while sets * Self.ways < capacity { sets *= 2 }
        mask = UInt64(sets - 1)
        // Zeroed memory that nobody has touched: every entry is free.
        guard let memory = calloc(sets * Self.ways, MemoryLayout<Entry>.stride) else { fatalError("no memory for the table of files") }
        entries = memory.bindMemory(to: Entry.self, capacity: sets * Self.ways)
    }

    deinit { free(entries) }

    var capacity: Int { (Int(mask) + 1) * Self.ways }

    @inline(__always)
    private func set(_ identity: FileIdentity) -> UnsafeMutablePointer<Entry> {
        var hash = seed
        func mix(_ word: UInt64) {
            let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
            hash = product.high ^ product.low &+ seed
        }
        mix(identity.inode)
        mix(identity.ctime)
        mix(identity.mtime ^ identity.size &<< 32)
        mix(UInt64(identity.device) << 32 | UInt64(identity.generation))
        return entries + Int(truncatingIfNeeded: (hash ^ hash >> 32) & mask) &* Self.ways
    }

    /// Valid until the next `claim`.
    @inline(__always)
    mutating func find(_ identity: FileIdentity) -> UnsafeMutablePointer<Entry>? {
        let set = set(identity)
        clock &+= 1
        for way in 0..<Self.ways where set[way].state != .free && set[way].identity == identity {
            set[way].used = clock
            return set + way
        }
        return nil
    }

    /// A place for what was not found; nil where all it could take are waited for. What was there goes to `evict` first.
    mutating func claim(_ identity: FileIdentity, evict: (Value) -> Void = { _ in }) -> UnsafeMutablePointer<Entry>? {
        let set = set(identity)
        var best: Int?
        for way in 0..<Self.ways {
            if set[way].state == .free {
                best = way
                break
            }
            guard set[way].state == .done else { continue }
            if let best, clock &- set[way].used <= clock &- set[best].used { continue }
            best = way
        }
        guard let best else { return nil }
        if set[best].state == .done {
            evict(set[best].value)
            evicted += 1
        }
        set[best].identity = identity
        set[best].used = clock
        set[best].state = .pending
        return set + best
    }

    /// Of each that is known.
    func forEach(_ body: (Value) -> Void) {
        for index in 0..<capacity where entries[index].state == .done { body(entries[index].value) }
    }
}
