internal import FilterLanguage

/// What a key takes: how a value is read and checked, how it is written, and how the reference describes it.
struct ValueType<Value: Sendable>: Sendable {
    let description: String
    let parse: @Sendable (Tree) throws(Complaint) -> Value
    let render: @Sendable (Value) -> YAMLText
}

/// The text of a value that is neither a list nor a mapping.
func oneValue(_ tree: Tree, _ expected: String) throws(Complaint) -> String {
    guard case .text(let text, _) = tree.content else {
        throw Complaint(tree.position, "takes one value, not \(tree.kind)", hint: "write \(expected)")
    }
    return text
}

func items(_ tree: Tree, _ expected: String) throws(Complaint) -> [Tree] {
    guard case .list(let items) = tree.content else {
        var example = "a \(expected)"
        if case .text(let text, _) = tree.content { example = "[\(printable(text))] for a list of one" }
        throw Complaint(tree.position, "takes a list, not \(tree.kind)", hint: "write \(example)")
    }
    return items
}

// MARK: - Words

extension ValueType where Value: CaseIterable & RawRepresentable, Value.RawValue == String, Value.AllCases: Sendable {
    /// One of the cases by its raw value.
    static func word() -> Self {
        let words = Value.allCases.map(\.rawValue)
        return ValueType(description: "one of " + words.joined(separator: ", ")) { tree throws(Complaint) in
            try word(tree)
        } render: {
            .scalar($0.rawValue)
        }
    }

    static func word(_ tree: Tree) throws(Complaint) -> Value {
        let words = Value.allCases.map(\.rawValue)
        let text = try oneValue(tree, "one of " + words.joined(separator: ", "))
        if let value = Value(rawValue: text) { return value }
        throw Complaint(
            tree.position, "\(quoted(text)) is not one of " + words.joined(separator: ", "),
            hint: "the nearest is \(nearest(to: text, in: words) ?? "none")")
    }
}

extension ValueType {
    /// Some of the cases by their raw values, each once; kept in the order of the cases.
    static func words<Word>(atLeast minimum: Int = 0) -> Self
    where Value == [Word], Word: CaseIterable & RawRepresentable & Hashable & Sendable, Word.RawValue == String, Word.AllCases: Sendable {
        let description = "list of " + Word.allCases.map(\.rawValue).joined(separator: ", ") + (minimum > 0 ? "; at least \(minimum)" : "")
        return ValueType(description: description) { tree throws(Complaint) in
            var found: Set<Word> = []
            for item in try items(tree, description) {
                let word = try ValueType<Word>.word(item)
                guard found.insert(word).inserted else {
                    throw Complaint(item.position, "\(quoted(word.rawValue)) is there twice", hint: "remove one")
                }
            }
            guard found.count >= minimum else {
                throw Complaint(tree.position, "the list is empty", hint: "name at least \(minimum)")
            }
            return Word.allCases.filter(found.contains)
        } render: {
            .list($0.map(\.rawValue))
        }
    }
}
