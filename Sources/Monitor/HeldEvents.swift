internal import Events
internal import Glibc
internal import Rings

/// Events that wait for what is still to be found out of their actors, in the order in which they came: behind one that waits all wait.
///
/// Room of a fixed size, of which only what is in use is ever touched; where it is full the first goes out as it is.
struct HeldEvents: ~Copyable {
    private struct Head {
        /// Bytes to the next head.
        var stride: Int
        var byteCount: Int
        /// CLOCK_BOOTTIME, ns.
        var deadline: UInt64
        var known: Resolution
    }

    private static let room = 4 << 20
    /// Of it this much is kept when nothing is held; what a crowd took beyond that is given back.
    private static let kept = 256 << 10
    private static let page = 4096
    private static let headBytes = (MemoryLayout<Head>.size + 15) & ~15
    private let bytes: UnsafeMutableRawPointer
    private var first = 0
    private var end = 0
    /// Where what has wrapped around ends; the rest lies from `first` to `top`.
    private var top = 0
    private(set) var count = 0
    /// Bytes that were in use since memory was given back.
    private var touched = 0

    init() { bytes = .allocate(byteCount: Self.room, alignment: Self.page) }

    deinit { bytes.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// False where there is no room: let the first go, and try again. One that has none even alone is never held.
    ///
    /// - Parameter known: without paths, which are borrowed.
    mutating func hold(_ record: RawSpan, _ known: borrowing Resolution, until deadline: UInt64) -> Bool {
        let stride = Self.headBytes + (record.byteCount + 15) & ~15
        if count == 0 {
            first = 0
            end = 0
            top = 0
        }
        let place: Int
        if count == 0 || end > first {
            if end + stride <= Self.room {
                place = end
            } else {
                guard stride < first else { return false }
                top = end
                place = 0
            }
        } else {
            guard end + stride < first else { return false }
            place = end
        }
        let head = bytes + place
        var kept = copy known
        kept.actor = nil
        head.bindMemory(to: Head.self, capacity: 1).initialize(to: Head(stride: stride, byteCount: record.byteCount, deadline: deadline, known: kept))
        record.withUnsafeBytes { from in
            if let start = from.baseAddress { (head + Self.headBytes).copyMemory(from: start, byteCount: from.count) }
        }
        end = place + stride
        if end > top { top = end }
        touched = max(touched, end)
        count += 1
        return true
    }

    /// The first one, where it lies until `removeFirst`.
    struct First {
        let record: UnsafeRawBufferPointer
        let deadline: UInt64
        let known: UnsafePointer<Resolution>
    }

    var firstHeld: First? {
        guard count > 0 else { return nil }
        let head = (bytes + first).assumingMemoryBound(to: Head.self)
        let known = UnsafeRawPointer(head) + MemoryLayout<Head>.offset(of: \.known).unsafelyUnwrapped
        return First(
            record: UnsafeRawBufferPointer(start: bytes + first + Self.headBytes, count: head.pointee.byteCount), deadline: head.pointee.deadline,
            known: known.assumingMemoryBound(to: Resolution.self))
    }

    mutating func removeFirst() {
        first += (bytes + first).assumingMemoryBound(to: Head.self).pointee.stride
        count -= 1
        if count == 0 {
            giveBack()
        } else if first >= top {
            first = 0
            top = end
        }
    }

    private mutating func giveBack() {
        guard touched > Self.kept else { return }
        madvise(bytes + Self.kept, Self.room - Self.kept, MADV_DONTNEED)
        touched = 0
    }
}
