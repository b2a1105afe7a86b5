internal import FilterLanguage

extension ValueType<FilterExpression?> {
    /// A condition on events, checked here, so that what the settings hold can be compiled; nil where the text is empty.
    static func filter() -> Self {
        ValueType(description: "filter, or empty") { tree throws(Complaint) in
            let text = try oneValue(tree, "a condition such as process.name == \"sshd\"")
            if text.isEmpty { return nil }
            do throws(FilterError) {
                return try FilterExpression(text)
            } catch {
                throw Complaint(tree.position, error.message, hint: error.hint, excerpt: error.excerpt)
            }
        } render: {
            .scalar(yamlScalar($0?.text ?? ""))
        }
    }
}
