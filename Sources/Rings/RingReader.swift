public import Synchronization

/// What one step over a ring met.
public enum RingStep {
    /// A committed record: its payload lies in the ring until the position behind it is released.
    case record(payload: UnsafeRawPointer, byteCount: Int)
    /// A record that its writer gave up; stepped over.
    case discarded
    /// The record here is reserved and not yet committed; nothing behind it can be read before it is.
    case busy
    /// Everything that was written has been read.
    case empty
    /// A header that no writer makes (its length reaches beyond the producer's position). The reader has gone on to
    /// the producer's position; `skipped` bytes, headers included, were not read.
    case corrupt(skipped: Int)
}

/// Why a drain ended.
public enum RingStop: Sendable {
    case empty, busy, budget
}

/// What one bounded drain of a ring did. Bytes are bytes of the ring: payload, header and padding.
public struct RingDrain: Sendable {
    public var records = 0
    public var bytes = 0
    public var discarded = 0
    /// Bytes that corrupt headers made unreadable.
    public var corruptBytes = 0
    /// How often the ring was resynchronised because of a corrupt header.
    public var corruptions = 0
    public var stop = RingStop.empty

    @inlinable public init() {}
}

/// The consumer's side of one mapped BPF ring buffer (kernel/bpf/ringbuf.c), without a system call and without a copy.
///
/// A record starts on a multiple of 8 with a `u32` length, whose bit 31 says busy and bit 30 discarded, and a `u32`
/// page offset that only the kernel uses; the payload follows, padded to 8 bytes. The producer's position is stored
/// with release after the header is written, the length with release when the record is committed; so both are
/// loaded with acquire here, and the consumer's position is stored with release.
///
/// There is one reader for a ring, on one thread. Whatever the pages hold, it reads only inside them.
public struct RingReader: ~Copyable {
    @usableFromInline static let busyBit: UInt32 = 1 << 31
    @usableFromInline static let discardBit: UInt32 = 1 << 30
    @usableFromInline static let headerSize: UInt = 8

    @usableFromInline let consumer: UnsafePointer<Atomic<UInt>>
    @usableFromInline let producer: UnsafePointer<Atomic<UInt>>
    @usableFromInline let data: UnsafeRawPointer
    @usableFromInline let mask: UInt
    /// Where the next record is read. Between `released` and it lies what was read and is still in use.
    @usableFromInline var position: UInt
    @usableFromInline var released: UInt
    /// The producer's position when it was last looked at; always a record boundary at or behind `position`.
    @usableFromInline var limit: UInt
    @usableFromInline var busyPosition: UInt = 0
    @usableFromInline var busySince: UInt64?

    /// - Parameters:
    ///   - consumer: the page with the consumer's position (`unsigned long` at offset 0), writable.
    ///   - producer: the page with the producer's position.
    ///   - data: the data area, mapped twice in a row, so that a record that wraps is contiguous.
    ///   - size: bytes of the data area (once); a power of two, at least 8.
    ///
    /// The mappings must outlive the reader.
    public init(consumer: UnsafeMutableRawPointer, producer: UnsafeRawPointer, data: UnsafeRawPointer, size: Int) {
        precondition(size >= 8 && size & (size - 1) == 0, "a BPF ring's size is a power of two")
        self.consumer = UnsafePointer(consumer.assumingMemoryBound(to: Atomic<UInt>.self))
        self.producer = producer.assumingMemoryBound(to: Atomic<UInt>.self)
        self.data = data
        mask = UInt(size) - 1
        position = self.consumer.pointee.load(ordering: .acquiring) & ~7
        released = position
        limit = position
    }

    /// Bytes of the data area.
    @inlinable public var size: Int { Int(mask) + 1 }

    /// Bytes that wait in the ring: written, or read and not released.
    @inlinable public var fill: Int {
        let fill = producer.pointee.load(ordering: .acquiring) &- released
        return Int(min(fill, mask &+ 1))
    }

    /// Where the next step reads; for `release(upTo:)`.
    @inlinable public var mark: UInt { position }

    /// Reads the next record and steps over it, but keeps its place: the producer can't reuse it before it is released.
    @inlinable @inline(__always)
    public mutating func next() -> RingStep {
        if position == limit {
            limit = producer.pointee.load(ordering: .acquiring) & ~7
            if position == limit { return .empty }
            if limit &- position > mask &+ 1 { return .corrupt(skipped: resynchronise()) }
        }
        let header = data + Int(bitPattern: position & mask)
        let word = header.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.load(ordering: .acquiring)
        let byteCount = UInt(word & ~(Self.busyBit | Self.discardBit))
        let whole = (byteCount &+ Self.headerSize &+ 7) & ~7
        if whole > limit &- position { return .corrupt(skipped: resynchronise()) }
        if word & (Self.busyBit | Self.discardBit) != 0 {
            if word & Self.busyBit != 0 { return .busy }
            position &+= whole
            return .discarded
        }
        position &+= whole
        return .record(payload: header + Int(Self.headerSize), byteCount: Int(byteCount))
    }

    /// Goes on behind everything that was written. Returns the bytes that are given up, at most the ring's size.
    @usableFromInline
    mutating func resynchronise() -> Int {
        let end = producer.pointee.load(ordering: .acquiring) & ~7
        let skipped = end &- position
        position = end
        limit = end
        return Int(min(skipped, mask &+ 1))
    }

    /// Gives everything before `mark` back to the producer. It is one of this reader's since the last release.
    @inlinable @inline(__always)
    public mutating func release(upTo mark: UInt) {
        released = mark
        consumer.pointee.store(mark, ordering: .releasing)
    }

    /// The payload of the record whose header is at `mark`.
    @inlinable @inline(__always)
    func payload(at mark: UInt) -> UnsafeRawPointer {
        data + Int(bitPattern: mark & self.mask) + Int(Self.headerSize)
    }

    /// Hands committed records to `body` and gives them back to the producer when it ends. It ends after `records` of
    /// them or with the record that fills `bytes` of the ring. The bytes are valid during the call of `body` only.
    @inlinable @inline(__always)
    public mutating func drain(records: Int, bytes: Int, _ body: (RawSpan) -> Void) -> RingDrain {
        var done = RingDrain()
        while true {
            if done.records >= records || done.bytes >= bytes && done.bytes > 0 {
                done.stop = .budget
                break
            }
            let before = position
            switch next() {
            case .record(let payload, let byteCount):
                done.records &+= 1
                done.bytes &+= Int(bitPattern: position &- before)
                body(RawSpan(_unsafeStart: payload, byteCount: byteCount))
                continue
            case .discarded:
                done.discarded &+= 1
                done.bytes &+= Int(bitPattern: position &- before)
                continue
            case .corrupt(let skipped):
                done.corruptBytes &+= skipped
                done.corruptions &+= 1
                continue
            case .busy: done.stop = .busy
            case .empty: done.stop = .empty
            }
            break
        }
        release(upTo: position)
        return done
    }

    /// For how many nanoseconds the record that is to be read next has been seen busy by calls of this function (0 by the
    /// first that sees it); `nil` when it is not busy or there is none.
    /// - Parameter now: a monotonic time in nanoseconds, always of the same clock.
    public mutating func headBusy(now: UInt64) -> UInt64? {
        let end = producer.pointee.load(ordering: .acquiring)
        let header = data + Int(bitPattern: position & mask)
        let word = header.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.load(ordering: .acquiring)
        guard end != position, word & Self.busyBit != 0 else {
            busySince = nil
            return nil
        }
        guard let since = busySince, busyPosition == position else {
            busyPosition = position
            busySince = now
            return 0
        }
        return now > since ? now - since : 0
    }
}
