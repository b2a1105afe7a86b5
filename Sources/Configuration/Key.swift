/// One setting: its name in files, its type with its checks, its default and what it means. The table of all of them is `Keys`.
package struct Key<Value: Sendable>: Sendable {
    /// `section.key`.
    package let name: String
    package let defaultValue: Value
    /// Whole sentences for the reference.
    let documentation: String
    let type: ValueType<Value>

    init(_ name: String, _ type: ValueType<Value>, default defaultValue: Value, _ documentation: String) {
        self.name = name
        self.type = type
        self.defaultValue = defaultValue
        self.documentation = documentation
    }
}

/// A key of whatever type, for what goes over the whole table.
protocol AnyKey: Sendable {
    var name: String { get }
    var documentation: String { get }
    /// What values it takes, for the reference.
    var typeDescription: String { get }
    var defaultText: YAMLText { get }

    /// The checked value that a document gives, with its text.
    func parse(_ tree: Tree) throws(Complaint) -> (value: any Sendable, text: YAMLText)
}

extension Key: AnyKey {
    var typeDescription: String { type.description }
    var defaultText: YAMLText { type.render(defaultValue) }

    func parse(_ tree: Tree) throws(Complaint) -> (value: any Sendable, text: YAMLText) {
        if tree.isNull {
            throw Complaint(
                tree.position, "\(name) has no value", hint: "write one (\(type.description)), or remove the key for its default")
        }
        do throws(Complaint) {
            let value = try type.parse(tree)
            return (value, type.render(value))
        } catch {
            throw Complaint(error.position, "\(name): \(error.message)", hint: error.hint, excerpt: error.excerpt)
        }
    }
}

extension AnyKey {
    var section: Substring { name.prefix { $0 != "." } }
    /// The name within its section.
    var leaf: Substring { name.dropFirst(section.count + 1) }
}
