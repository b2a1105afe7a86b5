/// Runs of a program that the kernel skipped, without a number and so without a gap: another task was preempted inside
/// the program on that CPU (`bpf_prog_info.recursion_misses`, kernel 5.12 and newer).
public struct Miss: Sendable, Equatable {
    /// The kernel's id of the program.
    public var program: UInt32
    /// What its records would have been.
    public var kind: String
    public var count: UInt64
    /// When the counter was read before and when it had grown; CLOCK_BOOTTIME, ns.
    public var from: UInt64
    public var to: UInt64

    public init(program: UInt32, kind: String, count: UInt64, from: UInt64, to: UInt64) {
        self.program = program
        self.kind = kind
        self.count = count
        self.from = from
        self.to = to
    }
}

/// Makes losses of the increases of `recursion_misses`.
public struct MissTracker: Sendable {
    private struct Counter {
        let kind: String
        var misses: UInt64 = 0
        var time: UInt64
    }
    private var counters: [UInt32: Counter] = [:]
    /// All misses so far.
    public private(set) var total: UInt64 = 0

    public init() {}

    /// Adds a program.
    /// - Parameter attached: CLOCK_BOOTTIME in ns; misses are counted from there.
    public mutating func add(program: UInt32, kind: String, attached: UInt64) {
        counters[program] = Counter(kind: kind, time: attached)
    }

    /// Notes a program's counter; returns what it grew by, `nil` when it did not grow or the program was not added.
    public mutating func update(program: UInt32, misses: UInt64, now: UInt64) -> Miss? {
        guard let counter = counters[program] else { return nil }
        counters[program]?.time = now
        guard misses > counter.misses else { return nil }
        counters[program]?.misses = misses
        total += misses - counter.misses
        return Miss(program: program, kind: counter.kind, count: misses - counter.misses, from: counter.time, to: now)
    }
}
