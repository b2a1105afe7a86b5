internal import Events
package import FilterLanguage
internal import KernelABI

/// A set of the actions that records have, a bit for each: files by their number (`hv_file_action`), modules by theirs from bit 32 on, then processes.
struct ActionSet: Equatable {
    var bits: UInt64

    static let exec = ActionSet(bits: 1 << 40)
    static let fork = ActionSet(bits: 1 << 41)
    static let exit = ActionSet(bits: 1 << 42)
    static let namespaceChange = ActionSet(bits: 1 << 43)

    @inline(__always)
    static func file(_ action: UInt32) -> ActionSet { ActionSet(bits: action < 32 ? 1 &<< UInt64(action) : 0) }

    @inline(__always)
    static func module(_ action: UInt32) -> ActionSet { ActionSet(bits: action < 8 ? 1 &<< UInt64(action &+ 32) : 0) }

    @inline(__always)
    func contains(_ other: ActionSet) -> Bool { bits & other.bits != 0 }

    /// Every action of a record, with its bit. A new kind of record has its here.
    static let all: [(set: ActionSet, action: Action)] =
        [(exec, .exec), (fork, .fork), (exit, .exit), (namespaceChange, .namespaceChange)]
        + (0..<32).compactMap { number in Action(fileAction: number).map { (file(number), $0) } }
        + (0..<8).compactMap { number in Action(moduleAction: number).map { (module(number), $0) } }
}

extension ActionSet {
    /// Of which actions a test holds; nil where that does not follow from the action alone.
    init?(_ field: Field, _ test: Test) {
        guard case .event(let field) = field else { return nil }
        let value: (Action) -> StaticString
        switch field {
        case .action: value = \.name
        case .kind: value = \.filed.kind
        case .category: value = \.filed.category
        case .type: value = \.filed.type
        case .outcome, .severity, .errorCode: return nil
        }
        let constants = Constants()
        let text = TextTest(test, constants)
        bits = Self.all.reduce(0) { bits, entry in
            let word = value(entry.action)
            let bytes = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
            return text.passes(bytes, constants.bytes) ? bits | entry.set.bits : bits
        }
    }
}

/// What may be dropped in the kernel.
extension FilterExpression {
    /// Actions of files of which no event passes, whatever else it has: a bit `1 << action` (enum hv_file_action) for each.
    ///
    /// Only those that change what a file holds or its attributes. Events that make, move or remove names, and mounts, also tell what is to be watched,
    /// and a change of the kernel's parameters is too precious for a filter in the kernel. Other kinds of records are not for the watch set to drop.
    package var unwantedFileActions: UInt32 {
        let candidates = [
            HV_FILE_WRITE, HV_FILE_TRUNCATE, HV_FILE_CHMOD, HV_FILE_CHOWN, HV_FILE_UTIMES, HV_FILE_SETXATTR, HV_FILE_REMOVEXATTR, HV_FILE_SETFLAGS,
            HV_FILE_MMAP_WRITE,
        ]
        return candidates.reduce(0) { condition.isPossible(.file($1.rawValue)) ? $0 : $0 | 1 << $1.rawValue }
    }
}

extension Condition {
    /// Whether an event of the action can pass.
    fileprivate func isPossible(_ action: ActionSet) -> Bool { outcome(action) != false }

    /// Nil: the action alone does not settle it (the logic of Kleene).
    private func outcome(_ action: ActionSet) -> Bool? {
        switch self {
        case .not(let inner): return inner.outcome(action).map { !$0 }
        case .test(let field, let test): return ActionSet(field, test).map { $0.contains(action) }
        case .all(let parts):
            let outcomes = parts.map { $0.outcome(action) }
            return outcomes.contains(false) ? false : outcomes.contains(nil) ? nil : true
        case .any(let parts):
            let outcomes = parts.map { $0.outcome(action) }
            return outcomes.contains(true) ? true : outcomes.contains(nil) ? nil : false
        }
    }
}
