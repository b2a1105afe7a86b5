/// Names by id, as a file of accounts has them, in flat memory. It does not change.
///
/// The invariant behind `@unchecked`: what the pointers lead to is written in `init` alone.
package final class NameList: @unchecked Sendable {
    package let count: Int
    /// Bytes that it takes.
    let size: Int
    /// Ascending; each once.
    private let ids: UnsafeMutablePointer<UInt32>
    /// Where each name begins, and the end of the last.
    private let starts: UnsafeMutablePointer<UInt32>
    private let bytes: UnsafeMutableRawPointer

    /// What of a file is taken: its first entries, up to so many and so many bytes of names.
    struct Limits: Sendable {
        var entries: Int
        var bytes: Int

        static let host = Limits(entries: 1 << 20, bytes: 16 << 20)
        static let tenant = Limits(entries: 4096, bytes: 64 << 10)
    }

    static let empty = NameList([], [])

    /// - Parameter entries: ascending by id, each id once.
    private init(_ entries: [(id: UInt32, name: Range<Int>)], _ text: [UInt8]) {
        count = entries.count
        let total = entries.reduce(0) { $0 + $1.name.count }
        ids = .allocate(capacity: count)
        starts = .allocate(capacity: count + 1)
        bytes = .allocate(byteCount: max(total, 1), alignment: 1)
        size = count * 4 + (count + 1) * 4 + total
        var at = 0
        for (index, entry) in entries.enumerated() {
            (ids + index).initialize(to: entry.id)
            (starts + index).initialize(to: UInt32(at))
            text.withUnsafeBytes { text in
                UnsafeMutableRawBufferPointer(start: bytes + at, count: entry.name.count).copyMemory(from: UnsafeRawBufferPointer(rebasing: text[entry.name]))
            }
            at += entry.name.count
        }
        (starts + count).initialize(to: UInt32(at))
    }

    deinit {
        ids.deallocate()
        starts.deallocate()
        bytes.deallocate()
    }

    /// passwd(5) and group(5): name:password:id:... An id's first entry counts, as it does for NSS. Lines that are none, or whose name is too
    /// long, are passed over, and so are those of nss_compat (`+`, `-`).
    ///
    /// - Parameter whole: false where the text is cut, so that its last line is none.
    static func parse(_ text: [UInt8], whole: Bool = true, limits: Limits) -> NameList {
        var entries: [(id: UInt32, name: Range<Int>)] = []
        var total = 0
        var line = 0
        while line < text.count, entries.count < limits.entries {
            let newline = text[line...].firstIndex(of: 0x0a)
            guard let end = newline ?? (whole ? text.count : nil) else { break }
            if let entry = account(text, line..<end) {
                guard total + entry.name.count <= limits.bytes else { break }
                total += entry.name.count
                entries.append(entry)
            }
            line = end + 1
        }
        // Where ids are equal, the place in the file decides.
        entries.sort { ($0.id, $0.name.lowerBound) < ($1.id, $1.name.lowerBound) }
        var last: UInt32?
        entries.removeAll { entry in
            defer { last = entry.id }
            return entry.id == last
        }
        return NameList(entries, text)
    }

    private static func account(_ text: [UInt8], _ line: Range<Int>) -> (id: UInt32, name: Range<Int>)? {
        let colon = UInt8(ascii: ":")
        guard let name = text[line].firstIndex(of: colon), name > line.lowerBound, name - line.lowerBound <= Name.longest,
            text[line.lowerBound] != UInt8(ascii: "+"), text[line.lowerBound] != UInt8(ascii: "-"),
            !text[line.lowerBound..<name].contains(0),
            let password = text[(name + 1)..<line.upperBound].firstIndex(of: colon)
        else { return nil }
        let end = text[(password + 1)..<line.upperBound].firstIndex(of: colon) ?? line.upperBound
        // All ones is no id: chown(2) means by it that nothing changes.
        guard let id: UInt32 = decimal(text[(password + 1)..<end]), id != .max else { return nil }
        return (id, line.lowerBound..<name)
    }

    /// Borrowed for as long as this object is.
    @inline(__always)
    package subscript(id: UInt32) -> UnsafeRawBufferPointer? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) >> 1
            if ids[middle] < id { low = middle &+ 1 } else { high = middle }
        }
        guard low < count, ids[low] == id else { return nil }
        let start = Int(starts[low])
        return UnsafeRawBufferPointer(start: bytes + start, count: Int(starts[low &+ 1]) &- start)
    }

    func isSame(as other: NameList) -> Bool {
        guard count == other.count, size == other.size else { return false }
        for index in 0..<count where ids[index] != other.ids[index] || !equal(self[ids[index]], other[ids[index]]) { return false }
        return true
    }
}

@inline(__always)
func equal(_ one: UnsafeRawBufferPointer?, _ other: UnsafeRawBufferPointer?) -> Bool {
    guard let one, let other else { return one == nil && other == nil }
    return one.count == other.count && one.elementsEqual(other)
}
