public import Events
package import FilterLanguage
internal import KernelABI
public import Rings

/// A compiled filter. One serves one thread; it allocates when it is made and not again.
public struct Filter: ~Copyable {
    private let program: Program
    private let evaluation: Evaluation

    package init(_ expression: FilterExpression) {
        program = Program(expression.condition)
        evaluation = Evaluation(constants: program.bytes)
    }

    /// For programs outside of this package.
    ///
    /// - Throws: what is wrong with the text (`FilterError`).
    public init(text: String) throws { self.init(try FilterExpression(text)) }

    /// Whether an event passes: what `ECSEncoder` makes of the same record and resolution.
    ///
    /// - Returns: true too for what is no event or of a kind that is not known: that is not for a filter to drop.
    public func passes(record: RawSpan, _ resolution: borrowing Resolution) -> Bool {
        guard let header = HeaderView(record) else { return true }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let view = ExecView(record) else { return true }
            return run(view, resolution)
        case HV_KIND_FORK.rawValue:
            guard let view = ForkView(record) else { return true }
            return run(view, resolution)
        case HV_KIND_EXIT.rawValue:
            guard let view = ExitView(record) else { return true }
            return run(view, resolution)
        case HV_KIND_NAMESPACE.rawValue:
            guard let view = NamespaceView(record) else { return true }
            return run(view, resolution)
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record) else { return true }
            return passes(view, resolution)
        case HV_KIND_MODULE.rawValue:
            guard let view = ModuleView(record) else { return true }
            return run(view, resolution)
        default: return true
        }
    }

    /// The same of a file record that was looked at already.
    public func passes(_ view: borrowing FileView, _ resolution: borrowing Resolution) -> Bool { run(view, resolution) }

    @inline(__always)
    private func run<Record: FilteredRecord & ~Escapable>(_ record: borrowing Record, _ resolution: borrowing Resolution) -> Bool {
        var next = program.start
        while next >= 0 {
            let holds: Bool
            switch program.instructions[Int(next)].operation {
            case .action(let actions): holds = actions.contains(record.actionSet)
            case .exists(let field): holds = evaluation.has(field, record, resolution)
            case .boolean(let field, let value): holds = evaluation.boolean(field, record, resolution) == value
            case .number(let field, let order, let value):
                holds = evaluation.number(field, record, resolution).map { order.holds($0, value) } ?? false
            case .numbers(let field, let range):
                let number = evaluation.number(field, record, resolution)
                holds = number.map { number in range.contains { program.numbers[Int($0)] == number } } ?? false
            case .text(let field, let test): holds = evaluation.text(field, test, record, resolution)
            }
            next = holds ? program.instructions[Int(next)].ifTrue : program.instructions[Int(next)].ifFalse
        }
        return next == Instruction.accept
    }
}

extension Order {
    @inline(__always)
    fileprivate func holds(_ first: UInt64, _ second: UInt64) -> Bool {
        switch self {
        case .equal: first == second
        case .less: first < second
        case .lessOrEqual: first <= second
        case .greater: first > second
        case .greaterOrEqual: first >= second
        }
    }
}

/// A kind of record that filters look into. What a new kind has beside its actor is in its own `text`, `number` and `boolean`; that and a bit in
/// `ActionSet` is all that it takes, and a case in `Filter.passes`.
protocol FilteredRecord: ~Escapable {
    var actor: ActorView { @_lifetime(copy self) get }
    /// A set of one.
    var actionSet: ActionSet { get }
    func outcome(_ resolution: borrowing Resolution) -> Outcome
    func severity(_ outcome: Outcome) -> UInt32
    /// Of what attribution tells of other records' actors; nil: not by the record.
    func holds(_ test: TextTest, ofImage field: FactField, _ evaluation: borrowing Evaluation) -> Bool?
    /// Of fields that are of this kind of record: whether the test holds for the text, or for any of the texts. False where there is none.
    func holds(_ test: TextTest, of field: Field, _ resolution: borrowing Resolution, _ evaluation: borrowing Evaluation) -> Bool
    func number(of field: Field, _ resolution: borrowing Resolution) -> UInt64?
    func boolean(of field: Field) -> Bool?
}

extension FilteredRecord where Self: ~Escapable {
    func holds(_ test: TextTest, ofImage field: FactField, _ evaluation: borrowing Evaluation) -> Bool? { nil }
}
