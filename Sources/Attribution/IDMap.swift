/// How ids of the initial user namespace are numbered in another: /proc/PID/uid_map or gid_map (user_namespaces(7)), read from the initial one.
struct IDMap: Sendable, Equatable {
    struct Range: Sendable, Equatable {
        var inner: UInt32
        var host: UInt32
        var count: UInt32
    }

    /// Ascending by `host`.
    private let ranges: [Range]

    static let none = IDMap([])

    /// The kernel takes as many (UID_GID_MAP_MAX_EXTENTS, include/linux/user_namespace.h).
    static let most = 340

    init(_ ranges: [Range]) {
        self.ranges = ranges.sorted { $0.host < $1.host }
    }

    /// Lines of three numbers: id inside, id outside, how many. A text with any other line is none.
    init(parsing text: [UInt8]) {
        var ranges: [Range] = []
        for line in text.split(separator: 0x0a) {
            let numbers = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 }).map { decimal($0) as UInt32? }
            guard numbers.count == 3, let inner = numbers[0], let host = numbers[1], let count = numbers[2], ranges.count < Self.most,
                !inner.addingReportingOverflow(count).overflow, !host.addingReportingOverflow(count).overflow
            else {
                self = .none
                return
            }
            ranges.append(Range(inner: inner, host: host, count: count))
        }
        self.init(ranges)
    }

    var isEmpty: Bool { ranges.isEmpty }

    /// Nil: that namespace has no such id, and shows the overflow id for it.
    @inline(__always)
    func inner(_ host: UInt32) -> UInt32? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low &+ high) >> 1
            if ranges[middle].host <= host { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let range = ranges[low &- 1]
        return host &- range.host < range.count ? range.inner &+ (host &- range.host) : nil
    }
}
