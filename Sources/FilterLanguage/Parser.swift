/// From a filter's text to its condition, types checked.
///
///     expression  = conjunction { "or" conjunction }
///     conjunction = negation { "and" negation }
///     negation    = { "not" } ( "(" expression ")" | "exists" FIELD | comparison )
///     comparison  = FIELD                                             a boolean field
///                 | FIELD ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) LITERAL
///                 | FIELD [ "not" ] "in" "[" LITERAL { "," LITERAL } "]"
///                 | FIELD [ "not" ] ( "contains" | "startswith" | "endswith" | "matches" ) STRING
struct Parser {
    static let mostBytes = 16 << 10
    /// Parentheses and `not`s within each other.
    static let deepest = 64

    private static let keywords = ["and", "or", "not", "in", "contains", "startswith", "endswith", "matches", "exists", "true", "false"]
    private static let textOperators = ["contains", "startswith", "endswith", "matches"]
    private static let operators = ["==", "!=", "<", "<=", ">", ">=", "in"] + textOperators

    private var lexer: Lexer
    private var token: Lexer.Token
    private var depth = 0

    static func parse(_ text: String) throws(FilterError) -> Condition {
        guard text.utf8.count <= mostBytes else {
            throw FilterError(
                message: "the filter has \(text.utf8.count) bytes", hint: "the most are \(mostBytes); a list with in, or matches, says much in little",
                text: text, range: text.utf8.count..<text.utf8.count)
        }
        var lexer = Lexer(text)
        let token = try lexer.next()
        if token.kind == .end { throw lexer.error("the filter is empty", "write a condition such as process.name == \"sshd\"", token.range) }
        var parser = Parser(lexer: lexer, token: token)
        let condition = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpectedBehindCondition() }
        return condition
    }

    // MARK: Structure

    private mutating func expression() throws(FilterError) -> Condition {
        var parts = [try conjunction()]
        while try take(word: "or") { parts.append(try conjunction()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction() throws(FilterError) -> Condition {
        var parts = [try negation()]
        while try take(word: "and") { parts.append(try negation()) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func negation() throws(FilterError) -> Condition {
        let range = token.range
        if try take(word: "not") {
            try descend(range)
            defer { depth -= 1 }
            return .not(try negation())
        }
        if try take(sign: "(") {
            try descend(range)
            defer { depth -= 1 }
            let inner = try expression()
            guard try take(sign: ")") else {
                if token.kind == .end { throw lexer.error("a parenthesis that does not close", "write its )", range) }
                throw unexpectedBehindCondition(closing: true)
            }
            return inner
        }
        if try take(word: "exists") { return .test(try field().field, .exists) }
        return try comparison()
    }

    private mutating func descend(_ range: Range<Int>) throws(FilterError) {
        depth += 1
        guard depth <= Self.deepest else {
            throw lexer.error("nested deeper than \(Self.deepest) levels", "leave out parentheses and nots that are not needed", range)
        }
    }

    private mutating func comparison() throws(FilterError) -> Condition {
        let place = token.range
        let row = try field()
        let sign = token
        if try take(word: "not") {
            let operation = token
            guard case .word(let name) = operation.kind, name == "in" || Self.textOperators.contains(name) else {
                throw lexer.error("not has to stand before the field here", "write not \(row.name) ...; behind a field come in, contains and their like", sign.range)
            }
            return .not(try comparison(row, place, operation, name))
        }
        switch sign.kind {
        case .sign(let name) where Self.operators.contains(name): return try comparison(row, place, sign, name)
        case .word(let name) where Self.operators.contains(name): return try comparison(row, place, sign, name)
        case .word("and"), .word("or"), .sign(")"), .end:
            guard row.type == .boolean else {
                throw lexer.error(
                    "\(row.name) is \(row.type.one), and a condition asks something of it", "write an operator and a value behind it, as in \(example(row))", place)
            }
            return .test(row.field, .boolean(true))
        case .word(let name):
            throw lexer.error(
                "\(quoted(name)) is no operator", "the nearest is \(nearest(to: name, in: Self.operators + ["and", "or"]) ?? "==")", sign.range)
        default:
            throw lexer.error("\(quoted(lexer.source(sign.range))) stands where an operator has to", "operators are \(Self.operators.joined(separator: " "))", sign.range)
        }
    }

    private mutating func comparison(
        _ row: FieldRow, _ place: Range<Int>, _ operation: Lexer.Token, _ name: String
    ) throws(FilterError) -> Condition {
        try advance()
        switch name {
        case "==": return .test(row.field, try equality(row))
        case "!=": return .not(.test(row.field, try equality(row)))
        case "in": return .test(row.field, try list(row))
        case "<", "<=", ">", ">=":
            guard row.type == .number || row.type == .identifier else {
                throw lexer.error(
                    "\(row.name) is \(row.type.one), which has no order", "\(name) is for numbers; texts have == != in \(Self.textOperators.joined(separator: " "))",
                    place.lowerBound..<operation.range.upperBound)
            }
            let value = try number(row)
            let order: Order = name == "<" ? .less : name == "<=" ? .lessOrEqual : name == ">" ? .greater : .greaterOrEqual
            return .test(row.field, .number(order, value))
        default:
            guard row.type == .string || row.type == .strings else {
                throw lexer.error(
                    "\(row.name) is \(row.type.one), not a text", "\(name) is for texts; \(row.type == .boolean ? "write \(row.name) or not \(row.name)" : "numbers have == != < <= > >= in")",
                    place.lowerBound..<operation.range.upperBound)
            }
            let literal = token.range
            let text = try string(row)
            switch name {
            case "contains": return .test(row.field, .contains(text))
            case "startswith": return .test(row.field, .startsWith(text))
            case "endswith": return .test(row.field, .endsWith(text))
            default:
                do throws(Glob.Malformed) {
                    return .test(row.field, .matches(try Glob(text)))
                } catch {
                    throw lexer.error(error.message, "correct it; in a text \\\\ is one backslash, which takes the next character as it is", literal)
                }
            }
        }
    }

    // MARK: Values

    private mutating func equality(_ row: FieldRow) throws(FilterError) -> Test {
        switch row.type {
        case .string, .strings: return .equal(try word(row))
        case .number, .identifier: return .number(.equal, try number(row))
        case .boolean:
            if try take(word: "true") { return .boolean(true) }
            if try take(word: "false") { return .boolean(false) }
            throw expected("\(row.name) is a boolean", "compare it with true or false, without quotes")
        }
    }

    private mutating func list(_ row: FieldRow) throws(FilterError) -> Test {
        guard row.type != .boolean else { throw expected("\(row.name) is a boolean", "write \(row.name) or not \(row.name)") }
        let open = token.range
        guard try take(sign: "[") else { throw expected("in has no list", "write one, as in \(row.name) in [\(sample(row))]") }
        var numbers: [UInt64] = []
        var words: [[UInt8]] = []
        repeat {
            if case .sign("]") = token.kind, numbers.isEmpty, words.isEmpty { throw lexer.error("an empty list", "nothing is in it; write values", open) }
            if row.type == .string || row.type == .strings { words.append(try word(row)) } else { numbers.append(try number(row)) }
        } while try take(sign: ",")
        guard try take(sign: "]") else {
            if token.kind == .end { throw lexer.error("a list that does not close", "write its ]", open) }
            throw expected("\(quoted(lexer.source(token.range))) in a list", "put commas between its values and a ] behind the last")
        }
        return words.isEmpty ? .numbers(numbers) : .oneOf(words)
    }

    /// A text that the field can be.
    private mutating func word(_ row: FieldRow) throws(FilterError) -> [UInt8] {
        let place = token.range
        let value = try string(row)
        guard let words = row.words, !words.contains(where: { Array($0.utf8) == value }) else { return value }
        let text = String(decoding: value, as: UTF8.self)
        throw lexer.error("\(row.name) is never \(quoted(text))", "the nearest is \"\(nearest(to: text, in: words) ?? "")\"", place)
    }

    private mutating func string(_ row: FieldRow) throws(FilterError) -> [UInt8] {
        guard case .string(let value) = token.kind else {
            // What follows without quotes is mostly a text that lacks them.
            switch token.kind {
            case .word(let name) where !Self.keywords.contains(name) || name == "true" || name == "false":
                throw expected("\(row.name) is compared with a text, and \(quoted(name)) is none", "put it in double quotes")
            case .number(let value): throw expected("\(row.name) is \(row.type.one), not a number", "write \"\(value)\", with quotes")
            default: throw expected("a text is missing", "write one in double quotes, as in \(example(row))")
            }
        }
        try advance()
        return value
    }

    private mutating func number(_ row: FieldRow) throws(FilterError) -> UInt64 {
        switch token.kind {
        case .number(let value):
            try advance()
            return value
        case .string(let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (text == "0" || text.utf8.first != 0x30)
            guard row.type == .identifier else {
                throw expected("\(row.name) is a number", isNumber ? "write \(text), without quotes" : "compare it with one, as in \(example(row))")
            }
            guard isNumber, let value = UInt64(text) else { throw expected("\(row.name) is never \(quoted(text))", "it is a whole number, as in \(example(row))") }
            try advance()
            return value
        default: throw expected("a number is missing", "write one, as in \(example(row))")
        }
    }

    private func sample(_ row: FieldRow) -> String {
        switch row.type {
        case .string, .strings: "\"\(row.words?.first ?? "text")\""
        case .number, .identifier: "0"
        case .boolean: "true"
        }
    }

    private func example(_ row: FieldRow) -> String { "\(row.name) == \(sample(row))" }

    // MARK: Tokens

    private mutating func advance() throws(FilterError) { token = try lexer.next() }

    private mutating func take(word: String) throws(FilterError) -> Bool {
        guard token.kind == .word(word) else { return false }
        try advance()
        return true
    }

    private mutating func take(sign: String) throws(FilterError) -> Bool {
        guard token.kind == .sign(sign) else { return false }
        try advance()
        return true
    }

    private mutating func field() throws(FilterError) -> FieldRow {
        guard case .word(let name) = token.kind, !Self.keywords.contains(name) else {
            if token.kind == .end { throw expected("the filter ends where a condition has to stand", "write one, as in process.name == \"sshd\"") }
            throw expected("\(quoted(lexer.source(token.range))) stands where a field has to", "write one such as process.name")
        }
        guard let row = Field.named(name) else { throw expected("unknown field \(quoted(name))", "the nearest is \(Field.nearest(to: name))") }
        try advance()
        return row
    }

    /// An error at the token at hand.
    private func expected(_ message: String, _ hint: String) -> FilterError { lexer.error(message, hint, token.range) }

    private func unexpectedBehindCondition(closing: Bool = false) -> FilterError {
        let source = quoted(lexer.source(token.range))
        if token.kind == .sign(")") { return expected("a ) without its (", "remove it") }
        if case .word(let name) = token.kind, let word = ["and", "or"].first(where: { editDistance(name.lowercased(), $0) <= 1 }) {
            return expected("\(source) stands where and or or has to", "write \(word)")
        }
        return expected("\(source) behind a condition", "put and or or before it\(closing ? ", or a ) to end the parenthesis" : "")")
    }
}
