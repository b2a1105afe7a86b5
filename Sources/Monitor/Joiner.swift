internal import Events
internal import Rings

/// Holds operations whose result comes in a record of its own. One that never gets its result (the kernel skipped the
/// program that tells it, or the record was lost) is an event all the same, with an unknown outcome.
struct Joiner {
    struct Key: Hashable {
        let operation: UInt64
        let thread: UInt32
    }
    private struct Held {
        var key = Key(operation: 0, thread: 0)
        var record: [UInt8] = []
        var since: UInt64 = 0
        var isFree = true
    }

    /// Most results come right behind: few are held at a time, and these are looked through.
    private var recent = [Held](repeating: Held(), count: 16)
    /// What had no room there.
    private var others: [Key: Held] = [:]
    private(set) var count = 0
    static let limit = 16384

    var isEmpty: Bool { count == 0 }

    /// False where too many are held: the caller tells the event at once.
    mutating func hold(_ key: Key, _ record: RawSpan, now: UInt64) -> Bool {
        guard count < Self.limit else { return false }
        count += 1
        guard let free = recent.firstIndex(where: \.isFree) else {
            others[key] = Held(key: key, record: record.withUnsafeBytes { Array($0) }, since: now, isFree: false)
            return true
        }
        recent[free].key = key
        recent[free].since = now
        recent[free].isFree = false
        // The room of one that ended is used again.
        recent[free].record.removeAll(keepingCapacity: true)
        record.withUnsafeBytes { recent[free].record.append(contentsOf: $0) }
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
        let late = (recent.filter { !$0.isFree } + others.values).filter { $0.since < time }
        for held in late.sorted(by: { $0.since < $1.since }) { end(held.key, unknown, body) }
    }

    private mutating func end(_ key: Key, _ known: borrowing Resolution, _ body: (RawSpan, borrowing Resolution) -> Void) {
        if let index = recent.firstIndex(where: { !$0.isFree && $0.key == key }) {
            recent[index].isFree = true
            count -= 1
            let record = recent[index].record
            body(record.span.bytes, known)
        } else if let held = others.removeValue(forKey: key) {
            count -= 1
            body(held.record.span.bytes, known)
        }
    }
}
