internal import Glibc

/// A growable run of bytes that its owner fills, writes out and clears again. It keeps its memory, so that a writer in
/// use allocates only when an event is larger than all before it.
public struct ByteWriter: ~Copyable {
    /// Bytes written since the last `clear`.
    public private(set) var count = 0
    public private(set) var capacity: Int
    private var base: UnsafeMutableRawPointer

    public init(capacity: Int = 64 << 10) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// Forgets what was written; the memory stays.
    public mutating func clear() { count = 0 }

    /// Forgets the first `written` bytes, after a short write(2).
    public mutating func removeFirst(_ written: Int) {
        precondition(written >= 0 && written <= count)
        count -= written
        memmove(base, base + written, count)
    }

    /// Lends what was written since the last `clear`.
    public func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        var cursor = reserve(bytes.count)
        cursor.copy(start, bytes.count)
        commit(cursor)
    }

    /// A cursor behind the last byte with room for `bytes` more. Whoever asks has worked out the most that can be
    /// written; `commit` checks it.
    mutating func reserve(_ bytes: Int) -> Cursor {
        let needed = count + bytes + Cursor.slack
        if needed > capacity { grow(to: needed) }
        return Cursor(base + count)
    }

    mutating func commit(_ cursor: Cursor) {
        let end = cursor.position - UnsafeMutableRawPointer(base)
        // A writer that passed its bound has overwritten foreign memory: nothing after it can be trusted.
        precondition(end >= count && end <= capacity, "an event outgrew the bound of its encoder")
        count = end
    }

    private mutating func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }
}
