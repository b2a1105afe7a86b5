internal import Glibc

/// Which slot of a table of fixed size belongs to a key: sets of eight, in which the one that was not used for longest makes room. What the
/// slots hold is the owner's.
struct SlotIndex: ~Copyable {
    private static let ways = 8

    let capacity: Int
    private let mask: UInt64
    /// 0: free. A set's keys are a line of the cache.
    private let keys: UnsafeMutablePointer<UInt64>
    /// When each was last asked for, in turns of `clock`.
    private let used: UnsafeMutablePointer<UInt64>
    private var clock: UInt64 = 0

    private(set) var count = 0
    /// Those that made room.
    private(set) var evictions: UInt64 = 0

    /// - Parameter capacity: rounded up to a power of two.
    init(capacity: Int) {
        var sets = 1
        while sets * Self.ways < capacity { sets *= 2 }
        self.capacity = sets * Self.ways
        mask = UInt64(sets - 1)
        // Untouched pages of it cost nothing.
        keys = zeroed(self.capacity, of: UInt64.self)
        used = zeroed(self.capacity, of: UInt64.self)
    }

    deinit {
        free(keys)
        free(used)
    }

    @inline(__always)
    private func set(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 32 & mask) &* Self.ways
    }

    /// - Parameter key: not 0.
    @inline(__always)
    mutating func find(_ key: UInt64) -> Int? {
        guard let slot = peek(key) else { return nil }
        clock &+= 1
        used[slot] = clock
        return slot
    }

    /// The same, which does not count as a use.
    @inline(__always)
    func peek(_ key: UInt64) -> Int? {
        let first = set(key)
        for way in 0..<Self.ways where keys[first &+ way] == key { return first &+ way }
        return nil
    }

    /// A slot for a key that has none. What another had in it is the owner's to clear.
    mutating func claim(_ key: UInt64) -> Int {
        let first = set(key)
        var slot = first
        for way in first..<(first + Self.ways) {
            if keys[way] == 0 {
                slot = way
                break
            }
            if used[way] < used[slot] { slot = way }
        }
        if keys[slot] == 0 { count += 1 } else { evictions += 1 }
        keys[slot] = key
        clock &+= 1
        used[slot] = clock
        return slot
    }
}

/// Memory of zeroes, which `free` gives back.
func zeroed<Element: BitwiseCopyable>(_ count: Int, of type: Element.Type) -> UnsafeMutablePointer<Element> {
    guard let memory = calloc(max(count, 1), MemoryLayout<Element>.stride) else { fatalError("no memory for a table of \(count) entries") }
    return memory.bindMemory(to: Element.self, capacity: count)
}
