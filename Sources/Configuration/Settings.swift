internal import FilterLanguage

/// The configuration in force: a value for every key, and where it came from. A key of the table `Keys` is a property of the same name here:
/// `settings.filesReportEvery` is a `Duration`.
@dynamicMemberLookup
package struct Settings: Sendable {
    struct Entry: Sendable {
        let value: any Sendable
        let text: YAMLText
        let origin: Origin
    }

    /// By name; what is not here has its default.
    private var entries: [String: Entry] = [:]

    /// Every key at its default.
    package init() {}

    package subscript<Value>(dynamicMember path: KeyPath<Keys, Key<Value>>) -> Value {
        let key = Keys.table[keyPath: path]
        return entries[key.name]?.value as? Value ?? key.defaultValue
    }

    package func origin<Value>(of path: KeyPath<Keys, Key<Value>>) -> Origin {
        origin(of: Keys.table[keyPath: path])
    }

    func origin(of key: any AnyKey) -> Origin { entries[key.name]?.origin ?? .default }
    func text(of key: any AnyKey) -> YAMLText { entries[key.name]?.text ?? key.defaultText }

    /// Takes over a value, in place of the one from a weaker source.
    mutating func set(_ key: any AnyKey, to tree: Tree, from origin: Origin) throws(Complaint) {
        let (value, text) = try key.parse(tree)
        entries[key.name] = Entry(value: value, text: text, origin: origin)
    }
}

extension Settings: Equatable {
    /// Whether every key has the same value, wherever it came from.
    package static func == (first: Settings, second: Settings) -> Bool {
        Keys.all.allSatisfy { first.text(of: $0) == second.text(of: $0) }
    }
}

/// Where a value came from.
package enum Origin: Equatable, Sendable, CustomStringConvertible {
    case `default`
    case file(String, line: Int)
    /// A command-line option, with its dashes.
    case option(String)

    package var description: String {
        switch self {
        case .default: "default"
        case .file(let file, let line): printable("\(file):\(line)")
        case .option(let option): option
        }
    }
}

/// A value from the command line, which goes before any file. It is checked as the same value in a file would be.
package struct Override: Sendable {
    let option: String
    let key: any AnyKey
    let tree: Tree

    /// - Parameter option: as the user writes it, with its dashes.
    package init<Value>(_ path: KeyPath<Keys, Key<Value>>, _ text: String, option: String) {
        self.option = option
        key = Keys.table[keyPath: path]
        tree = Override.text(text)
    }

    package init<Value>(_ path: KeyPath<Keys, Key<Value>>, list: [String], option: String) {
        self.option = option
        key = Keys.table[keyPath: path]
        tree = Tree(content: .list(list.map(Override.text)), position: .none)
    }

    private static func text(_ text: String) -> Tree { Tree(content: .text(text, quoted: false), position: .none) }
}
