/// What a literal that was found stands for.
struct Literal {
    enum Kind: UInt8 { case name, url, token, key, program, pattern }

    /// Which byte has to follow it. The end of the bytes counts as a NUL.
    enum Follower: UInt8 { case any, nameEnd, wordEnd }

    var kind: Kind
    var follower: Follower
    var flags: NameFlags = []
    /// Index into the programs or patterns.
    var payload: UInt16 = 0
    var length: UInt16 = 0
    /// Its last bytes, at most 8, folded, the last one lowest; and which of the 8 count.
    var tail: UInt64 = 0
    var mask: UInt64 = 0
    /// All of its bytes, folded, in the scan's text.
    var text = 0

    init(_ kind: Kind, _ follower: Follower, flags: NameFlags = [], payload: Int = 0) {
        self.kind = kind
        self.follower = follower
        self.flags = flags
        self.payload = UInt16(payload)
    }
}

/// Finds all literals in one pass over the bytes: a shift-or over 8 positions for 8 buckets of literals at a time (as the
/// literal matcher of Hyperscan, X. Wang et al., NSDI 2019), then, where one may end, a comparison with those that end with the same three bytes.
///
/// Case and `-`/`_` are folded in its table, so nothing is copied. A byte costs one load from 2 KiB and one shift; the state
/// of four bytes is looked at in one.
struct LiteralScan: ~Copyable {
    /// For each byte value, a byte for each position in a literal's last 8 (the last one highest); in it a bit for each bucket
    /// that can not have the value there.
    private let refusals: UnsafeMutablePointer<UInt64>
    /// The state before the first byte.
    private let initial: UInt64
    private let literals: UnsafeMutablePointer<Literal>
    private let text: UnsafeMutablePointer<UInt8>
    /// By a hash of three bytes, those that may end with them: endings[starts[hash]..<starts[hash + 1]], places in `literals`.
    private let starts: UnsafeMutablePointer<UInt32>
    private let endings: UnsafeMutablePointer<UInt32>

    /// - Parameter list: literals with their bytes, two at least.
    init(_ list: [(bytes: [UInt8], literal: Literal)]) {
        let buckets = 8
        var entries = list.map { (bytes: $0.bytes.map(ByteClass.fold), literal: $0.literal) }
        // Alike in length and end: what shares a bucket should refuse much. The shortest refuse least and have one of their own.
        func order(_ entry: (bytes: [UInt8], literal: Literal)) -> (length: Int, kind: Int, end: [UInt8]) {
            let isFollowed = entry.literal.follower != .any
            let around = (entry.literal.kind == .program ? 1 : 0) + (isFollowed ? 1 : 0)
            return (min(8, entry.bytes.count + around), isFollowed ? entry.literal.kind == .program ? 2 : 1 : 0, entry.bytes.reversed())
        }
        entries.sort { first, second in
            let (a, b) = (order(first), order(second))
            return a.length != b.length ? a.length < b.length : a.kind != b.kind ? a.kind < b.kind : a.end.lexicographicallyPrecedes(b.end)
        }
        let short = entries.prefix { order($0).0 <= 3 }.count
        refusals = .allocate(capacity: 256)
        refusals.initialize(repeating: .max, count: 256)
        literals = .allocate(capacity: max(1, entries.count))
        text = .allocate(capacity: max(1, entries.reduce(0) { $0 + $1.bytes.count }))
        var byEnd = [[UInt32]](repeating: [], count: Self.endHashes)
        var virtual = UInt64.max
        var used = 0
        for bucket in 0..<buckets {
            func bound(_ bucket: Int) -> Int { bucket == 0 ? 0 : short + (entries.count - short) * (bucket - 1) / (buckets - 1) }
            for index in bound(bucket)..<bound(bucket + 1) {
                let bytes = entries[index].bytes
                var literal = entries[index].literal
                literal.length = UInt16(bytes.count)
                literal.text = used
                for byte in bytes {
                    text.advanced(by: used).initialize(to: byte)
                    used += 1
                }
                for (place, byte) in bytes.reversed().prefix(8).enumerated() {
                    literal.tail |= UInt64(byte) << UInt64(8 * place)
                    literal.mask |= 0xff << UInt64(8 * place)
                }
                literals.advanced(by: index).initialize(to: literal)
                // Two bytes may have any before them.
                let before = bytes.count < 3 ? 0...UInt64(255) : UInt64(bytes[bytes.count - 3])...UInt64(bytes[bytes.count - 3])
                for hash in Set(before.map { Self.endHash($0 << 16 | literal.tail & 0xffff) }) { byEnd[hash].append(UInt32(index)) }
                var accepts: [(UInt8) -> Bool] = bytes.map { byte in { ByteClass.fold($0) == byte } }
                // A program's name is a word.
                if literal.kind == .program { accepts.insert(ByteClass.precedesWord, at: 0) }
                if literal.follower != .any { accepts.append { ByteClass.follows($0, literal.follower) } }
                for place in 0..<8 {
                    let bit = UInt64(1) << UInt64(8 * (7 - place) + bucket)
                    guard place < accepts.count else {
                        // Before its first byte anything may stand, and nothing too.
                        for value in 0..<256 { refusals[value] &= ~bit }
                        virtual &= ~bit
                        continue
                    }
                    let accept = accepts[accepts.count - 1 - place]
                    if literal.kind == .program, place == accepts.count - 1 { virtual &= ~bit }
                    for value in 0..<256 where accept(UInt8(value)) { refusals[value] &= ~bit }
                }
            }
        }
        starts = .allocate(capacity: Self.endHashes + 1)
        endings = .allocate(capacity: max(1, byEnd.reduce(0) { $0 + $1.count }))
        var ending = 0
        for (hash, list) in byEnd.enumerated() {
            starts.advanced(by: hash).initialize(to: UInt32(ending))
            for index in list {
                endings.advanced(by: ending).initialize(to: index)
                ending += 1
            }
        }
        starts.advanced(by: Self.endHashes).initialize(to: UInt32(ending))
        var state = UInt64.max
        for _ in 0..<8 { state = state << 8 | virtual }
        initial = state
    }

    deinit {
        refusals.deallocate()
        literals.deallocate()
        text.deallocate()
        starts.deallocate()
        endings.deallocate()
    }

    private static let endHashes = 4096

    /// - Parameter bytes: folded, the last one lowest.
    @inline(__always)
    private static func endHash(_ bytes: UInt64) -> Int { Int(truncatingIfNeeded: ((bytes & 0xff_ffff) &* 0x9E37_79B1) >> 20 & 0xfff) }

    /// Where the first literal ends; nil: there is none.
    @inline(__always)
    func first(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int? {
        var first = 0
        let isNone = candidates(bytes, count, from: 0) { place in
            first = place
            return matches(bytes, count, place) { _, _ in false }
        }
        return isNone ? nil : first
    }

    /// Hands out each literal with where it begins, in the order of their ends.
    ///
    /// - Parameter first: none ends before it.
    @inline(__always)
    func each(_ bytes: UnsafePointer<UInt8>, _ count: Int, from first: Int, _ body: (borrowing Literal, Int) -> Void) {
        _ = candidates(bytes, count, from: max(0, first &- 8)) { place in
            _ = matches(bytes, count, place) {
                body($0, $1)
                return true
            }
            return true
        }
    }

    /// Places at which a literal may end, as long as `body` wants more.
    ///
    /// - Returns: whether it wanted all of them.
    @inline(__always)
    private func candidates(_ bytes: UnsafePointer<UInt8>, _ count: Int, from start: Int, _ body: (Int) -> Bool) -> Bool {
        let refusals = UnsafePointer(refusals)
        let none = UInt64(0xff) << 56
        var state = initial
        var at = start
        while at &+ 4 <= count {
            let first = refusals[Int(bytes[at])], second = refusals[Int(bytes[at &+ 1])]
            let third = refusals[Int(bytes[at &+ 2])], fourth = refusals[Int(bytes[at &+ 3])]
            let one = state << 8 | first
            let two = state << 16 | (first << 8 | second)
            let three = state << 24 | (first << 16 | second << 8 | third)
            let four = state << 32 | (first << 24 | second << 16 | (third << 8 | fourth))
            if one & two & three & four < none {
                if one < none, !body(at) { return false }
                if two < none, !body(at &+ 1) { return false }
                if three < none, !body(at &+ 2) { return false }
                if four < none, !body(at &+ 3) { return false }
            }
            state = four
            at &+= 4
        }
        // The rest, and a NUL behind the last byte.
        while at <= count {
            state = state << 8 | refusals[at < count ? Int(bytes[at]) : 0]
            if state < none, !body(at) { return false }
            at &+= 1
        }
        return true
    }

    /// Hands out those that end before a place, with what has to follow them there, then those that end with it.
    @inline(__always)
    private func matches(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ place: Int, _ body: (borrowing Literal, Int) -> Bool) -> Bool {
        // The 8 bytes before `place`, and those up to it.
        var before: UInt64 = 0
        var back = min(place, 8)
        while back > 0 {
            before = before << 8 | UInt64(ByteClass.fold(bytes[place &- back]))
            back &-= 1
        }
        let last = place < count ? bytes[place] : 0
        return compare(bytes, before, end: place, follower: last, body)
            && (place == count || compare(bytes, before << 8 | UInt64(ByteClass.fold(last)), end: place &+ 1, follower: nil, body))
    }

    /// - Parameters:
    ///   - tail: the last 8 bytes before `end`, folded.
    ///   - follower: the byte there; nil: for literals behind which anything may stand.
    @inline(__always)
    private func compare(
        _ bytes: UnsafePointer<UInt8>, _ tail: UInt64, end: Int, follower: UInt8?, _ body: (borrowing Literal, Int) -> Bool
    ) -> Bool {
        let hash = Self.endHash(tail)
        var ending = Int(starts[hash])
        let last = Int(starts[hash &+ 1])
        while ending < last {
            let literal = literals + Int(endings[ending])
            ending &+= 1
            guard (tail ^ literal.pointee.tail) & literal.pointee.mask == 0 else { continue }
            guard follower.map({ literal.pointee.follower != .any && ByteClass.follows($0, literal.pointee.follower) }) ?? (literal.pointee.follower == .any)
            else { continue }
            let length = Int(literal.pointee.length)
            guard length <= end else { continue }
            let start = end &- length
            let text = UnsafePointer(text) + literal.pointee.text
            // The last 8 are compared.
            var same = true
            for offset in 0..<max(0, length &- 8) where ByteClass.fold(bytes[start &+ offset]) != text[offset] { same = false }
            guard same else { continue }
            if !body(literal.pointee, start) { return false }
        }
        return true
    }
}

/// What bytes are to the rules: ASCII only.
enum ByteClass {
    /// Upper case as lower case, `_` as `-`.
    @inline(__always)
    static func fold(_ byte: UInt8) -> UInt8 {
        if byte &- 0x41 < 26 { return byte | 0x20 }
        return byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : byte
    }

    @inline(__always)
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isAlphanumeric(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) }

    /// What names of options, variables and headers are made of.
    @inline(__always)
    static func isName(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
    }

    /// Space, tab, and the line breaks.
    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }

    @inline(__always)
    static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }

    /// Ends a word of the shell where it is not quoted (POSIX, Shell Command Language, 2.2 and 2.3), and opens the next.
    @inline(__always)
    static func isOperator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"),
            UInt8(ascii: "`"):
            true
        default: false
        }
    }

    /// What may stand before the name of a program.
    @inline(__always)
    static func precedesWord(_ byte: UInt8) -> Bool {
        byte == 0 || byte == UInt8(ascii: "/") || isSpace(byte) || isQuote(byte) || isOperator(byte)
    }

    @inline(__always)
    static func follows(_ byte: UInt8, _ follower: Literal.Follower) -> Bool {
        switch follower {
        case .any: true
        case .wordEnd: byte == 0 || isSpace(byte) || isQuote(byte)
        case .nameEnd:
            byte == 0 || isSpace(byte) || isQuote(byte) || byte == UInt8(ascii: "=") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "\\")
                || byte == UInt8(ascii: "]")
        }
    }
}
