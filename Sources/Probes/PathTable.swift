/// Paths and a number for each, found without an allocation: an open hash table over one run of bytes.
struct PathTable: Sendable {
    private struct Entry {
        let hash: UInt64
        let start: Int32
        let count: Int32
        var value: Int32
    }
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    /// Index of an entry, or -1; a power of two of them, less than half in use.
    private var slots: [Int32] = []

    /// FNV-1a (Fowler, Noll, Vo), byte by byte, so that one run over a path gives the hash of each of its prefixes.
    static let seed: UInt64 = 0xcbf2_9ce4_8422_2325
    @inline(__always)
    static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

    var count: Int { entries.count }

    /// The number that stands for `path[..<end]`.
    @inline(__always)
    func value(_ path: [UInt8], _ end: Int, hash: UInt64) -> Int32? {
        path.withUnsafeBytes { value(UnsafeRawBufferPointer(rebasing: $0[..<end]), hash: hash) }
    }

    func value(_ path: UnsafeRawBufferPointer, hash: UInt64) -> Int32? {
        guard !slots.isEmpty else { return nil }
        let mask = slots.count - 1
        var slot = Self.place(hash, mask)
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, equal(entry, path) { return entry.value }
            slot = (slot + 1) & mask
        }
        return nil
    }

    func value(_ path: [UInt8]) -> Int32? { value(path, path.count, hash: Self.hash(path)) }

    /// Whether the path is in the table; one pass, no allocation.
    func contains(_ path: [UInt8]) -> Bool { value(path) != nil }

    func forEach(_ body: ([UInt8]) -> Void) {
        for entry in entries { body(Array(bytes[Int(entry.start)..<Int(entry.start) + Int(entry.count)])) }
    }

    static func hash(_ path: some Sequence<UInt8>) -> UInt64 { path.reduce(seed, step) }

    /// Puts the number in, in place of an earlier one of the same path.
    mutating func set(_ path: [UInt8], _ value: Int32) {
        if (entries.count + 1) * 2 > slots.count { grow() }
        let hash = Self.hash(path)
        let mask = slots.count - 1
        var slot = Self.place(hash, mask)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].hash == hash, path.withUnsafeBytes({ equal(entries[index], $0) }) {
                entries[index].value = value
                return
            }
            slot = (slot + 1) & mask
        }
        slots[slot] = Int32(entries.count)
        entries.append(Entry(hash: hash, start: Int32(bytes.count), count: Int32(path.count), value: value))
        bytes += path
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: max(16, slots.count * 2))
        let mask = slots.count - 1
        for (index, entry) in entries.enumerated() {
            var slot = Self.place(entry.hash, mask)
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(index)
        }
    }

    /// The low bits of FNV depend on the low bits of what went in alone.
    @inline(__always)
    private static func place(_ hash: UInt64, _ mask: Int) -> Int { Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(mask)) }

    @inline(__always)
    private func equal(_ entry: Entry, _ path: UnsafeRawBufferPointer) -> Bool {
        guard Int(entry.count) == path.count else { return false }
        let start = Int(entry.start)
        for index in 0..<path.count where bytes[start + index] != path[index] { return false }
        return true
    }
}
