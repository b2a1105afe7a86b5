/// A place in a text; both count from 1, columns in Unicode scalars.
struct Position: Hashable, Sendable {
    let line: Int
    let column: Int

    /// Of values that come from no file.
    static let none = Position(line: 0, column: 0)
}

/// A document as the keys' types see it: texts, lists and mappings with their places. Nothing is resolved: `yes`, `010` and `null` stay texts, for
/// the type of the key to judge.
struct Tree: Sendable {
    enum Content: Sendable {
        case text(String, quoted: Bool)
        case list([Tree])
        case mapping([(key: Tree, value: Tree)])
    }

    let content: Content
    let position: Position

    /// No value was written: nothing, `~` or `null`.
    var isNull: Bool {
        guard case .text(let text, quoted: false) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// For messages: what this is.
    var kind: String {
        switch content {
        case .text: isNull ? "no value" : "a single value"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}
