package import Configuration
package import Redaction

extension Redactor {
    /// What the configuration has masked; nil: nothing.
    package static func configured(_ settings: Settings) throws(ConfigurationError) -> Redactor? {
        guard settings.redactionEnabled else { return nil }
        let rules = RedactionRules(
            names: settings.redactionNames, keep: settings.redactionKeep,
            patterns: settings.redactionPatterns.map { RedactionRules.Pattern(literal: $0.literal, regex: $0.regex) })
        do throws(RedactionError) {
            return try Redactor(rules)
        } catch {
            switch error.rule {
            case .literal(let index): throw settings.error(ofPattern: index, inLiteral: true, error.message)
            case .regex(let index): throw settings.error(ofPattern: index, inLiteral: false, error.message)
            // The configuration's own check refuses what is no name.
            case .name: throw settings.error(ofPattern: 0, inLiteral: true, error.message)
            }
        }
    }
}
