/// A pattern of absolute paths: `*` and `?` match within a name, `[a-z]` and `[!a-z]` one byte of it, and `**`, a component by itself, any
/// number of components, none included. A backslash takes the next byte as it is. A name that begins with a dot is a name like others.
/// A path without `*`, `?` and `[` is no pattern: it is taken as it is, backslashes too.
///
/// What a pattern matches, it matches with all that lies below; `X/**` is therefore the same as `X`. Bytes, not characters, are compared.
package struct Glob: Sendable {
    enum Token: Sendable {
        case byte(UInt8)
        case one
        case many
        case set(ByteSet)
    }

    enum Part: Sendable {
        case literal([UInt8])
        case pattern([Token])
        case anyDepth
    }

    /// 256 bits.
    struct ByteSet: Sendable {
        private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        mutating func insert(_ byte: UInt8) {
            let bit = (1 as UInt64) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }

        mutating func invert() { words = (~words.0, ~words.1, ~words.2, ~words.3) }

        func contains(_ byte: UInt8) -> Bool {
            let word =
                switch byte >> 6 {
                case 0: words.0
                case 1: words.1
                case 2: words.2
                default: words.3
                }
            return word >> UInt64(byte & 63) & 1 != 0
        }
    }

    /// Its components, the last of them never `**`.
    let parts: [Part]
    /// The folder above the first component that is a pattern, without a slash at its end; empty for the root.
    let fixed: [UInt8]
    /// How many components that folder has.
    let fixedParts: Int

    package static func isPattern(_ path: some Collection<UInt8>) -> Bool { path.contains { $0 == 0x2a || $0 == 0x3f || $0 == 0x5b } }

    /// - Returns: nil where there is nothing to match after all: `path` names one object, or all below one (`/etc/**`), and that is it.
    package init?(_ pattern: [UInt8]) {
        guard Self.isPattern(pattern) else { return nil }
        var parts = pattern.split(separator: 0x2f).map(Self.part)
        while case .anyDepth? = parts.last { parts.removeLast() }
        // `**` twice is `**` once.
        parts = parts.reduce(into: []) { kept, part in
            if case .anyDepth = part, case .anyDepth? = kept.last { return }
            kept.append(part)
        }
        let first = parts.firstIndex { if case .literal = $0 { false } else { true } }
        guard let first else { return nil }
        self.parts = parts
        fixedParts = first
        fixed = parts[..<first].reduce(into: []) { path, part in
            if case .literal(let name) = part { path += [0x2f] + name }
        }
    }

    private init(parts: [Part], fixed: [UInt8], fixedParts: Int) {
        self.parts = parts
        self.fixed = fixed
        self.fixedParts = fixedParts
    }

    /// The same pattern in place of whose fixed folder another stands.
    func moved(to folder: [UInt8]) -> Glob {
        let names = folder.split(separator: 0x2f)
        return Glob(parts: names.map { .literal(Array($0)) } + parts[fixedParts...], fixed: folder.count == 1 ? [] : folder, fixedParts: names.count)
    }

    /// The path of what a pattern that is none names: `/etc` for `/etc/**`.
    package static func plain(_ pattern: [UInt8]) -> [UInt8] {
        guard isPattern(pattern) else { return pattern }
        var path: [UInt8] = []
        for part in pattern.split(separator: 0x2f).map(Self.part) {
            if case .literal(let name) = part { path += [0x2f] + name }
        }
        return path.isEmpty ? [0x2f] : path
    }

    private static func part(_ text: ArraySlice<UInt8>) -> Part {
        if text.elementsEqual([0x2a, 0x2a]) { return .anyDepth }
        var tokens: [Token] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case 0x5c: tokens.append(.byte(rest.popFirst() ?? byte))
            case 0x3f: tokens.append(.one)
            case 0x2a:
                if case .many? = tokens.last { continue }
                tokens.append(.many)
            case 0x5b:
                if let set = Self.set(&rest) { tokens.append(.set(set)) } else { tokens.append(.byte(byte)) }
            default: tokens.append(.byte(byte))
            }
        }
        var name: [UInt8] = []
        for token in tokens {
            guard case .byte(let byte) = token else { return .pattern(tokens) }
            name.append(byte)
        }
        return .literal(name)
    }

    /// What follows a `[`, taken off `rest`; nil where no `]` ends it: then it is a bracket like any byte.
    private static func set(_ rest: inout ArraySlice<UInt8>) -> ByteSet? {
        var set = ByteSet()
        var left = rest
        let inverted = left.first == 0x21 || left.first == 0x5e
        if inverted { left.removeFirst() }
        var first = true
        while var low = left.popFirst() {
            // A `]` that stands first is one of the set.
            if low == 0x5d && !first {
                if inverted { set.invert() }
                rest = left
                return set
            }
            first = false
            if low == 0x5c, let escaped = left.popFirst() { low = escaped }
            var high = low
            if left.first == 0x2d, let end = left.dropFirst().first, end != 0x5d {
                left = left.dropFirst(2)
                high = end
                if end == 0x5c, let escaped = left.popFirst() { high = escaped }
            }
            if low <= high { for byte in low...high { set.insert(byte) } }
        }
        return nil
    }

    // MARK: matching

    /// Where the shortest part of `path` that the pattern matches ends (the rest lies below it); nil: no part matches. `path` begins
    /// with a slash and has none twice. Steps: at most the product of both lengths, as only the last `*` or `**` is ever tried anew.
    package func match(_ path: [UInt8]) -> Int? {
        var at = 0
        var part = 0
        // Where the last `**` stands, and where in the path what follows it is tried next.
        var resume: (part: Int, at: Int)?
        while true {
            if part == parts.count { return at }
            if case .anyDepth = parts[part] {
                part += 1
                resume = (part, at)
                continue
            }
            let end = Self.nextEnd(path, at)
            if let end, matches(part, path, at + 1, end) {
                at = end
                part += 1
                continue
            }
            guard let again = resume, let end = Self.nextEnd(path, again.at) else { return nil }
            resume = (again.part, end)
            part = again.part
            at = end
        }
    }

    /// The end of the component that begins with the slash at `at`.
    private static func nextEnd(_ path: [UInt8], _ at: Int) -> Int? {
        guard at + 1 < path.count else { return nil }
        var end = at + 1
        while end < path.count && path[end] != 0x2f { end += 1 }
        return end
    }

    /// Whether a component of the pattern matches `path[start..<end]`.
    func matches(_ part: Int, _ path: [UInt8], _ start: Int, _ end: Int) -> Bool {
        switch parts[part] {
        case .anyDepth: return true
        case .literal(let name):
            guard name.count == end - start else { return false }
            for index in name.indices where name[index] != path[start + index] { return false }
            return true
        case .pattern(let tokens): return Self.matches(tokens, path, start, end)
        }
    }

    private static func matches(_ tokens: [Token], _ path: [UInt8], _ start: Int, _ end: Int) -> Bool {
        var at = start
        var token = 0
        var resume: (token: Int, at: Int)?
        while at < end {
            if token < tokens.count {
                switch tokens[token] {
                case .many:
                    token += 1
                    resume = (token, at)
                    continue
                case .one:
                    token += 1
                    at += 1
                    continue
                case .byte(let byte) where byte == path[at]:
                    token += 1
                    at += 1
                    continue
                case .set(let set) where set.contains(path[at]):
                    token += 1
                    at += 1
                    continue
                default: break
                }
            }
            guard let again = resume else { return false }
            resume = (again.token, again.at + 1)
            token = again.token
            at = again.at + 1
        }
        while token < tokens.count, case .many = tokens[token] { token += 1 }
        return token == tokens.count
    }
}
