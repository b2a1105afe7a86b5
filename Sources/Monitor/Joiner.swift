internal import Events
internal import Rings

/// Holds operations whose result comes in a record of its own. One that never gets its result (the kernel skipped the
/// program that tells it, or the record was lost) is an event all the same, with an unknown outcome.
struct Joiner: ~Copyable {
    struct Key: Hashable {
        let operation: UInt64
        let thread: UInt32
    }
    private struct Slot {
        var key = Key(operation: 0, thread: 0)
        var since: UInt64 = 0
        var byteCount = 0
    }
    private struct Held {
        let record: [UInt8]
        let since: UInt64
    }

    /// Most results come right behind: few operations wait at a time, and these are looked through.
    private static let slotCount = 16
    /// Bytes of a slot's record; hardly any has longer paths.
    private static let room = 4096
    private let slots: UnsafeMutablePointer<Slot>
    private let records: UnsafeMutableRawPointer
    /// Bit i: slot i is in use.
    private var used: UInt32 = 0
    /// What had no room there.
    private var others: [Key: Held] = [:]
    private(set) var count = 0
    static let limit = 16384

    init() {
        slots = .allocate(capacity: Self.slotCount)
        slots.initialize(repeating: Slot(), count: Self.slotCount)
        records = .allocate(byteCount: Self.slotCount * Self.room, alignment: 16)
    }

    deinit {
        slots.deallocate()
        records.deallocate()
    }

    var isEmpty: Bool { count == 0 }

    /// False where too many are held: the caller tells the event at once.
    mutating func hold(_ key: Key, _ record: RawSpan, now: UInt64) -> Bool {
        guard count < Self.limit else { return false }
        count += 1
        let free = (~used).trailingZeroBitCount
        record.withUnsafeBytes { bytes in
            if free < Self.slotCount, bytes.count <= Self.room, let start = bytes.baseAddress {
                used |= 1 << UInt32(free)
                slots[free] = Slot(key: key, since: now, byteCount: bytes.count)
                (records + free * Self.room).copyMemory(from: start, byteCount: bytes.count)
            } else {
                others[key] = Held(record: Array(bytes), since: now)
            }
        }
        return true
    }

    /// Calls `body` with what was held for the operation, if anything was, and with what the result tells of it.
    mutating func complete(_ result: borrowing ResultView, _ body: (RawSpan, borrowing Resolution) -> Void) {
        guard count > 0 else { return }
        end(Key(operation: result.operation, thread: result.tid), Resolution(result), body)
    }

    /// The same for all that have been held since before `time`; their outcome is unknown.
    mutating func expire(before time: UInt64, _ body: (RawSpan, borrowing Resolution) -> Void) {
        guard count > 0 else { return }
        var unknown = Resolution()
        unknown.outcome = .unknown
        var late = others.filter { $0.value.since < time }.map { ($0.key, $0.value.since) }
        for index in 0..<Self.slotCount where used & 1 << UInt32(index) != 0 && slots[index].since < time {
            late.append((slots[index].key, slots[index].since))
        }
        for (key, _) in late.sorted(by: { $0.1 < $1.1 }) { end(key, unknown, body) }
    }

    private mutating func end(_ key: Key, _ known: borrowing Resolution, _ body: (RawSpan, borrowing Resolution) -> Void) {
        var rest = used
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest &- 1
            guard slots[index].key == key else { continue }
            used &= ~(1 << UInt32(index))
            count -= 1
            body(UnsafeRawBufferPointer(start: records + index * Self.room, count: slots[index].byteCount).bytes, known)
            return
        }
        guard !others.isEmpty, let held = others.removeValue(forKey: key) else { return }
        count -= 1
        body(held.record.span.bytes, known)
    }
}
