/// Numbers of one stream that have not been seen and may still come.
@usableFromInline struct SequenceGap: Sendable {
    @usableFromInline var start: UInt64
    /// The first number behind it.
    @usableFromInline var end: UInt64
    /// A time after all of its numbers had been taken.
    @usableFromInline var since: UInt64
    /// Times of the record before it and of the one after it.
    @usableFromInline var from: UInt64
    @usableFromInline var to: UInt64

    var count: UInt64 { end - start }
}

/// The open gaps of one stream, in order of their numbers.
@usableFromInline struct SequenceGaps: Sendable {
    private(set) var gaps: [SequenceGap] = []
    /// How many numbers they hold.
    private(set) var count: UInt64 = 0

    var isEmpty: Bool { gaps.isEmpty }

    /// Adds a gap behind all others.
    mutating func append(_ gap: SequenceGap) {
        gaps.append(gap)
        count += gap.count
    }

    /// Takes a number out that came after all, at `time`; false when no gap has it.
    mutating func fill(_ number: UInt64, time: UInt64) -> Bool {
        guard let index = gaps.sortedIndex(of: number, start: \.start, end: \.end) else { return false }
        let gap = gaps[index]
        count -= 1
        switch (number == gap.start, number + 1 == gap.end) {
        case (true, true): gaps.remove(at: index)
        case (true, false):
            gaps[index].start += 1
            gaps[index].from = time
        case (false, true):
            gaps[index].end -= 1
            gaps[index].to = time
        case (false, false):
            gaps[index].start = number + 1
            gaps[index].from = time
            gaps.insert(SequenceGap(start: gap.start, end: number, since: gap.since, from: gap.from, to: time), at: index)
        }
        return true
    }

    /// Takes out the first gap if `condition` holds for it.
    mutating func takeFirst(where condition: (SequenceGap) -> Bool) -> SequenceGap? {
        guard let first = gaps.first, condition(first) else { return nil }
        gaps.removeFirst()
        count -= first.count
        return first
    }
}

/// Numbers of one stream that were declared lost, so that one that comes nevertheless is known. The lowest are
/// forgotten when there are too many ranges; of those only their count is kept.
@usableFromInline struct LostNumbers: Sendable {
    private struct Numbers {
        var start: UInt64
        var end: UInt64
    }
    private var ranges: [Numbers] = []
    private let rangesMax: Int
    private var forgotten: UInt64 = 0
    private var forgottenBelow: UInt64 = 0

    init(rangesMax: Int) { self.rangesMax = rangesMax }

    mutating func insert(start: UInt64, end: UInt64) {
        var index = ranges.count
        while index > 0 && ranges[index - 1].start > start { index -= 1 }
        if index > 0 && ranges[index - 1].end == start {
            ranges[index - 1].end = end
        } else {
            ranges.insert(Numbers(start: start, end: end), at: index)
        }
        if ranges.count > rangesMax {
            let lowest = ranges.removeFirst()
            forgotten += lowest.end - lowest.start
            forgottenBelow = max(forgottenBelow, lowest.end)
        }
    }

    /// Takes a number out that came after all; false when it was not lost. A number among forgotten ones counts as one
    /// of them, because the kernel uses each number once.
    mutating func recover(_ number: UInt64) -> Bool {
        guard let index = ranges.sortedIndex(of: number, start: \.start, end: \.end) else {
            guard number < forgottenBelow && forgotten > 0 else { return false }
            forgotten -= 1
            return true
        }
        let range = ranges[index]
        switch (number == range.start, number + 1 == range.end) {
        case (true, true): ranges.remove(at: index)
        case (true, false): ranges[index].start += 1
        case (false, true): ranges[index].end -= 1
        case (false, false):
            ranges[index].start = number + 1
            ranges.insert(Numbers(start: range.start, end: number), at: index)
        }
        return true
    }
}

extension Array {
    /// Index of the range that has `number` in it; the ranges are in order and do not overlap.
    func sortedIndex(of number: UInt64, start: (Element) -> UInt64, end: (Element) -> UInt64) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if end(self[middle]) <= number { low = middle + 1 } else { high = middle }
        }
        return low < count && start(self[low]) <= number ? low : nil
    }
}
