internal import FilterLanguage

/// An entry of redaction.patterns. Whether the expression is one is for PCRE2 to say, which this module does not know.
package struct RedactionPattern: Sendable {
    package let literal: String
    package let regex: String
    /// Of the literal and the expression in their file.
    let literalPosition: Position
    let regexPosition: Position
}

extension Settings {
    /// Says of a pattern of redaction.patterns what is wrong with it.
    package func error(ofPattern index: Int, inLiteral: Bool, _ message: String) -> ConfigurationError {
        let pattern = self.redactionPatterns[index]
        let position = inLiteral ? pattern.literalPosition : pattern.regexPosition
        let place: ConfigurationError.Place =
            switch origin(of: \.redactionPatterns) {
            case .file(let file, _): .position(file: file, line: position.line, column: position.column)
            case .option(let option): .option(option)
            case .default: .option("redaction.patterns")
            }
        return ConfigurationError(
            place: place, message: "redaction.patterns: \(message)",
            hint: inLiteral ? "write a literal of 2 to 255 bytes" : "write an expression as pcre2pattern(3) has it")
    }
}

extension ValueType<Bool> {
    static func toggle() -> Self {
        ValueType(description: "true or false") { tree throws(Complaint) in
            switch try oneValue(tree, "true or false") {
            case "true": return true
            case "false": return false
            case let text: throw Complaint(tree.position, "\(quoted(text)) is neither true nor false", hint: "write one of them")
            }
        } render: {
            .scalar($0 ? "true" : "false")
        }
    }
}

extension ValueType<[String]> {
    /// Names of options and variables, each once.
    static func secretNames() -> Self {
        let description = "list of names"
        return ValueType(description: description) { tree throws(Complaint) in
            var names: [String] = []
            for item in try items(tree, description) {
                let name = try oneValue(item, "a name")
                let isName = name.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                        true
                    default: false
                    }
                }
                guard isName, (2...128).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "-") else {
                    throw Complaint(
                        item.position, "\(quoted(name)) is no name of a secret", hint: "write 2 to 128 letters, digits, -, _ and ., without leading dashes")
                }
                guard !names.contains(name) else { throw Complaint(item.position, "\(quoted(name)) is there twice", hint: "remove one") }
                names.append(name)
            }
            return names
        } render: {
            .list($0.map(yamlScalar))
        }
    }
}

extension ValueType<[RedactionPattern]> {
    static func secretPatterns() -> Self {
        let description = "list of mappings with literal and regex"
        return ValueType(description: description) { tree throws(Complaint) in
            let most = 256
            var patterns: [RedactionPattern] = []
            for item in try items(tree, description) { patterns.append(try pattern(item)) }
            guard patterns.count <= most else {
                throw Complaint(tree.position, "the list has more than \(most) patterns", hint: "join some of them")
            }
            return patterns
        } render: { patterns in
            .list(patterns.map { "{literal: \(yamlScalar($0.literal)), regex: \(yamlScalar($0.regex))}" })
        }
    }
}

private func pattern(_ tree: Tree) throws(Complaint) -> RedactionPattern {
    let hint = "write {literal: TEXT, regex: EXPRESSION}"
    guard case .mapping(let pairs) = tree.content else {
        throw Complaint(tree.position, "a pattern is a mapping, not \(tree.kind)", hint: hint)
    }
    var parts: [String: (text: String, position: Position)] = [:]
    for (key, value) in pairs {
        let name = try oneValue(key, "literal or regex")
        guard name == "literal" || name == "regex" else {
            throw Complaint(key.position, "unknown key \(quoted(name))", hint: "a pattern has a literal and a regex")
        }
        guard parts[name] == nil else { throw Complaint(key.position, "\(name) is there twice", hint: "remove one") }
        guard !value.isNull else { throw Complaint(value.position, "\(name) has no value", hint: hint) }
        parts[name] = (try oneValue(value, "a text"), value.position)
    }
    guard let literal = parts["literal"] else { throw Complaint(tree.position, "the pattern has no literal", hint: hint) }
    guard let regex = parts["regex"] else { throw Complaint(tree.position, "the pattern has no regex", hint: hint) }
    guard (2...255).contains(literal.text.utf8.count), !literal.text.utf8.contains(0) else {
        throw Complaint(literal.position, "\(quoted(literal.text)) can't be looked for", hint: "write a literal of 2 to 255 bytes, none of them NUL")
    }
    guard !regex.text.isEmpty else { throw Complaint(regex.position, "the regex is empty", hint: hint) }
    return RedactionPattern(literal: literal.text, regex: regex.text, literalPosition: literal.position, regexPosition: regex.position)
}
