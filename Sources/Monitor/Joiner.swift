internal import Rings

/// Holds operations whose result comes in a record of its own. One that never gets its result (the kernel skipped the
/// program that tells it, or the record was lost) is an event all the same, with an unknown outcome.
struct Joiner {
    struct Key: Hashable {
        let operation: UInt64
        let thread: UInt32
    }
    private struct Held {
        var record: [UInt8]
        let since: UInt64
    }

    private var held: [Key: Held] = [:]
    /// Buffers of operations that ended, so that the next ones need no allocation.
    private var spare: [[UInt8]] = []
    static let limit = 16384

    var isEmpty: Bool { held.isEmpty }

    /// False where too many are held: the caller tells the event at once.
    mutating func hold(_ key: Key, _ record: RawSpan, now: UInt64) -> Bool {
        guard held.count < Self.limit else { return false }
        var copy = spare.popLast() ?? []
        copy.removeAll(keepingCapacity: true)
        record.withUnsafeBytes { copy.append(contentsOf: $0) }
        held[key] = Held(record: copy, since: now)
        return true
    }

    /// Calls `body` with what was held for the operation, if anything was.
    mutating func complete(_ key: Key, _ body: (RawSpan) -> Void) {
        guard let entry = held.removeValue(forKey: key) else { return }
        body(entry.record.span.bytes)
        if spare.count < 64 { spare.append(entry.record) }
    }

    /// The same for all that have been held since before `time`.
    mutating func expire(before time: UInt64, _ body: (RawSpan) -> Void) {
        guard !held.isEmpty else { return }
        for key in held.filter({ $0.value.since < time }).sorted(by: { $0.value.since < $1.value.since }).map(\.key) { complete(key, body) }
    }
}
