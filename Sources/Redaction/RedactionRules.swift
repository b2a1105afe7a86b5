/// What the configuration adds to the built-in tables (`BuiltIn`).
public struct RedactionRules: Sendable {
    /// A regular expression of PCRE2 (pcre2pattern(3)), over bytes, that is tried on the arguments in which its literal occurs.
    public struct Pattern: Sendable {
        /// At least two bytes, none of them NUL. Letters match in either case, `-` and `_` each other.
        public var literal: String
        /// What its group 1 matched is masked, or without such a group all that it matched.
        public var regex: String

        public init(literal: String, regex: String) {
            self.literal = literal
            self.regex = regex
        }
    }

    /// Names of secrets beside the built-in ones; letters in either case, `-` and `_` alike.
    public var names: [String]
    /// Whole names of options and variables whose values stay; they go before `names` and the built-in ones.
    public var keep: [String]
    public var patterns: [Pattern]

    public init(names: [String] = [], keep: [String] = [], patterns: [Pattern] = []) {
        self.names = names
        self.keep = keep
        self.patterns = patterns
    }
}

/// A rule that can't be used.
public struct RedactionError: Error, Equatable, CustomStringConvertible {
    public enum Rule: Equatable, Sendable {
        case name(Int), literal(Int), regex(Int)
    }

    /// Which, by its place in the list, from 0.
    public let rule: Rule
    /// What is wrong: one line.
    public let message: String

    public var description: String {
        switch rule {
        case .name(let index): "redaction.names: name \(index + 1): \(message)"
        case .literal(let index): "redaction.patterns: literal of pattern \(index + 1): \(message)"
        case .regex(let index): "redaction.patterns: regex of pattern \(index + 1): \(message)"
        }
    }
}
