import FilterLanguage

/// A filter as a tree that is evaluated over an event's JSON, by the words of docs/filters.md and with nothing of the compiled filter's.
indirect enum Naive {
    case all([Naive])
    case any([Naive])
    case not(Naive)
    case exists(String)
    case truth(String)
    case boolean(String, String, Bool)
    case numbers(String, String, [UInt64])
    case texts(String, String, [[UInt8]])

    // MARK: As text

    /// With parentheses where they are needed, and now and then where they are not.
    func text(_ generator: inout SplitMix64, binding: Int = 0) -> String {
        let text: String
        let own: Int
        switch self {
        case .any(let parts): (text, own) = (parts.map { $0.text(&generator, binding: 1) }.joined(separator: " or "), 0)
        case .all(let parts): (text, own) = (parts.map { $0.text(&generator, binding: 2) }.joined(separator: " and "), 1)
        case .not(let inner): (text, own) = ("not " + inner.text(&generator, binding: 2), 2)
        case .exists(let field): (text, own) = ("exists " + field, 2)
        case .truth(let field): (text, own) = (field, 2)
        case .boolean(let field, let sign, let value): (text, own) = ("\(field) \(sign) \(value)", 2)
        case .numbers(let field, let sign, let values): (text, own) = (field + " " + sign + " " + list(sign, values.map { "\($0)" }), 2)
        case .texts(let field, let sign, let values):
            (text, own) = (field + " " + sign + " " + list(sign, values.map { Self.literal($0, &generator) }), 2)
        }
        return own < binding || generator.chance(1, in: 8) ? "(" + text + ")" : text
    }

    private func list(_ sign: String, _ values: [String]) -> String { sign.hasSuffix("in") ? "[" + values.joined(separator: ", ") + "]" : values[0] }

    private static func literal(_ bytes: [UInt8], _ generator: inout SplitMix64) -> String {
        var text = "\""
        let whole = String(validating: bytes, as: UTF8.self) != nil && generator.chance(1, in: 2)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7f: text += String(UnicodeScalar(byte))
            case _ where whole: continue
            default: text += "\\x" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        guard whole else { return text + "\"" }
        // The same with its characters as they are.
        return "\"" + String(decoding: bytes.flatMap { [0x22, 0x5c].contains($0) ? [0x5c, $0] : [$0] }, as: UTF8.self) + "\""
    }

    // MARK: Over JSON

    func holds(_ event: JSON) -> Bool {
        switch self {
        case .all(let parts): return parts.allSatisfy { $0.holds(event) }
        case .any(let parts): return parts.contains { $0.holds(event) }
        case .not(let inner): return !inner.holds(event)
        case .exists(let field): return event[field].map { $0 != .array([]) } ?? false
        case .truth(let field): return event[field] == .bool(true)
        case .boolean(let field, let sign, let value): return (event[field] == .bool(value)) == (sign == "==")
        case .numbers(let field, let sign, let values):
            let number: UInt64? = {
                switch event[field] {
                case .number(let text), .string(let text): UInt64(text)
                default: nil
                }
            }()
            switch sign {
            case "!=": return number != values[0]
            case "not in": return number.map { !values.contains($0) } ?? true
            default: break
            }
            guard let number else { return false }
            switch sign {
            case "==": return number == values[0]
            case "<": return number < values[0]
            case "<=": return number <= values[0]
            case ">": return number > values[0]
            case ">=": return number >= values[0]
            default: return values.contains(number)
            }
        case .texts(let field, let sign, let values):
            let texts: [[UInt8]] = {
                switch event[field] {
                case .string(let text): [Array(text.utf8)]
                case .array(let elements): elements.map { Array(($0.text ?? "no text").utf8) }
                default: []
                }
            }()
            if sign == "!=" { return !texts.contains(values[0]) }
            if sign.hasPrefix("not ") { return !texts.contains { Self.holds(String(sign.dropFirst(4)), $0, values) } }
            return texts.contains { Self.holds(sign, $0, values) }
        }
    }

    private static func holds(_ sign: String, _ text: [UInt8], _ values: [[UInt8]]) -> Bool {
        switch sign {
        case "==": text == values[0]
        case "in": values.contains(text)
        case "startswith": text.starts(with: values[0])
        case "endswith": text.reversed().starts(with: values[0].reversed())
        case "contains": (0...text.count).contains { text[$0...].starts(with: values[0]) }
        default: matches(text[...], values[0][...])
        }
    }

    /// By trying everything.
    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        let rest = pattern.dropFirst()
        switch first {
        case UInt8(ascii: "*"): return (text.startIndex...text.endIndex).contains { matches(text[$0...], rest) }
        case UInt8(ascii: "?"): return !text.isEmpty && matches(text.dropFirst(), rest)
        case UInt8(ascii: "["):
            // Only sets that the generator makes: [xyz], [a-z], [!a-z].
            let close = rest.firstIndex(of: UInt8(ascii: "]"))!
            var set = rest[..<close]
            let inverted = set.first == UInt8(ascii: "!")
            if inverted { set = set.dropFirst() }
            guard let byte = text.first else { return false }
            let inside = set.dropFirst().first == UInt8(ascii: "-") ? byte >= set.first! && byte <= set.last! : set.contains(byte)
            return inside != inverted && matches(text.dropFirst(), pattern[(close + 1)...])
        case UInt8(ascii: "\\"): return text.first == rest.first && matches(text.dropFirst(), rest.dropFirst())
        default: return text.first == first && matches(text.dropFirst(), rest)
        }
    }

    // MARK: Random ones

    /// - Parameter event: whose values are taken for literals now and then, so that some hold.
    static func random(_ event: JSON, depth: Int, _ generator: inout SplitMix64) -> Naive {
        if depth > 0, generator.chance(2, in: 3) {
            if generator.chance(1, in: 4) { return .not(random(event, depth: depth - 1, &generator)) }
            let parts = (0..<Int.random(in: 2...3, using: &generator)).map { _ in random(event, depth: depth - 1, &generator) }
            return generator.chance(1, in: 2) ? .all(parts) : .any(parts)
        }
        var row = generator.pick(Field.table)
        // Mostly one that the event has.
        for _ in 0..<20 where event[row.name] == nil && generator.chance(9, in: 10) { row = generator.pick(Field.table) }
        if generator.chance(1, in: 8) { return .exists(row.name) }
        switch row.type {
        case .boolean:
            return generator.chance(1, in: 2) ? .truth(row.name) : .boolean(row.name, generator.pick(["==", "!="]), generator.chance(1, in: 2))
        case .number, .identifier:
            let sign = generator.pick(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
            let count = sign.hasSuffix("in") ? Int.random(in: 1...3, using: &generator) : 1
            return .numbers(
                row.name, sign,
                (0..<count).map { _ in
                    var value: UInt64 = generator.pick([0, 1, 17, 1000, 4096, 1 << 40, .max])
                    switch event[row.name] {
                    case .number(let text) where generator.chance(1, in: 2), .string(let text) where generator.chance(1, in: 2):
                        value = (UInt64(text) ?? 0) &+ generator.pick([0, 0, 1, .max])
                    default: break
                    }
                    return value
                })
        case .string, .strings:
            var sign = generator.pick(["==", "!=", "in", "contains", "startswith", "endswith", "matches", "not in", "not contains", "not matches"])
            if row.words != nil { sign = generator.pick(["==", "!=", "in", "not in", "contains", "startswith"]) }
            let count = sign.hasSuffix("in") ? Int.random(in: 1...3, using: &generator) : 1
            return .texts(row.name, sign, (0..<count).map { _ in text(event[row.name], row.words, sign, &generator) })
        }
    }

    private static func text(_ value: JSON?, _ words: [String]?, _ sign: String, _ generator: inout SplitMix64) -> [UInt8] {
        var text = Array(generator.pick(RandomRecords.words + ["/etc/passwd", "file", "644", "unreachable", ""]).utf8)
        if generator.chance(3, in: 4) {
            switch value {
            case .string(let known): text = Array(known.utf8)
            case .array(let elements): text = elements.randomElement(using: &generator)?.text.map { Array($0.utf8) } ?? text
            default: break
            }
        }
        if let words, ["==", "!=", "in", "not in"].contains(sign) {
            return words.contains(String(decoding: text, as: UTF8.self)) ? text : Array(generator.pick(words).utf8)
        }
        if sign.hasSuffix("matches") { return pattern(text, &generator) }
        // A part of it; bytes, not characters.
        guard !text.isEmpty, !sign.hasSuffix("in"), sign.count > 2, generator.chance(2, in: 3) else { return text }
        switch sign {
        case "startswith": return Array(text.prefix(Int.random(in: 0...text.count, using: &generator)))
        case "endswith": return Array(text.suffix(Int.random(in: 0...text.count, using: &generator)))
        default: return Array(text.dropFirst(Int.random(in: 0..<text.count, using: &generator)).prefix(4))
        }
    }

    private static func pattern(_ text: [UInt8], _ generator: inout SplitMix64) -> [UInt8] {
        var pattern: [UInt8] = []
        var index = 0
        while index < text.count {
            let byte = text[index]
            index += 1
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: pattern.append(UInt8(ascii: "?"))
            case 1:
                pattern.append(UInt8(ascii: "*"))
                index += Int.random(in: 0...3, using: &generator)
            case 2 where (0x61...0x7a).contains(byte): pattern += Array(generator.pick(["[a-z]", "[!A-Z]", "[a-m]", "[xyze]"]).utf8)
            default: pattern += [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\")].contains(byte) ? [0x5c, byte] : [byte]
            }
        }
        return pattern
    }
}
