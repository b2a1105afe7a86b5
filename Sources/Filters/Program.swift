internal import FilterLanguage
internal import Glibc

/// One step of a compiled filter: a test, and where to go on. Plain data: nothing in it is counted.
struct Instruction {
    enum Operation {
        /// Of `ActionSet`.
        case action(ActionSet)
        case exists(Field)
        case boolean(Field, Bool)
        case number(Field, Order, UInt64)
        /// Indices of `numbers`.
        case numbers(Field, Range<Int32>)
        case text(Field, TextTest)
    }

    var operation: Operation
    var ifTrue: Int32
    var ifFalse: Int32

    static let accept: Int32 = -1
    static let reject: Int32 = -2
}

/// A filter as jumps from test to test: no stack and no recursion, whatever its nesting, and a test whose result does not matter is not made.
struct Program: ~Copyable {
    let instructions: UnsafeMutablePointer<Instruction>
    let count: Int
    let start: Int32
    let bytes: UnsafeRawPointer
    let numbers: UnsafePointer<UInt64>
    /// Owns what these two point to.
    private let constants: Constants

    init(_ condition: Condition) {
        var compiler = Compiler()
        start = compiler.compile(condition, ifTrue: Instruction.accept, ifFalse: Instruction.reject)
        count = compiler.instructions.count
        instructions = .allocate(capacity: max(count, 1))
        for (index, instruction) in compiler.instructions.enumerated() { (instructions + index).initialize(to: instruction) }
        constants = compiler.constants
        bytes = UnsafeRawPointer(constants.bytes)
        numbers = UnsafePointer(constants.numbers)
    }

    deinit { instructions.deallocate() }
}

/// What instructions point into. Its memory lives as long as the filter.
final class Constants {
    private(set) var bytes: UnsafeMutableRawPointer
    private(set) var numbers: UnsafeMutablePointer<UInt64>
    private var byteCapacity = 256, byteCount = 0
    private var numberCapacity = 16, numberCount = 0

    init() {
        bytes = .allocate(byteCount: byteCapacity, alignment: 8)
        numbers = .allocate(capacity: numberCapacity)
    }

    deinit {
        bytes.deallocate()
        numbers.deallocate()
    }

    func add(_ more: [UInt8]) -> Range<Int32> {
        if byteCount + more.count > byteCapacity {
            byteCapacity = max(2 * byteCapacity, byteCount + more.count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 8)
            larger.copyMemory(from: bytes, byteCount: byteCount)
            bytes.deallocate()
            bytes = larger
        }
        more.withUnsafeBytes { if let from = $0.baseAddress { (bytes + byteCount).copyMemory(from: from, byteCount: more.count) } }
        byteCount += more.count
        return Int32(byteCount - more.count)..<Int32(byteCount)
    }

    func add(_ more: [UInt64]) -> Range<Int32> {
        if numberCount + more.count > numberCapacity {
            numberCapacity = max(2 * numberCapacity, numberCount + more.count)
            let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: numberCapacity)
            larger.update(from: numbers, count: numberCount)
            numbers.deallocate()
            numbers = larger
        }
        (numbers + numberCount).update(from: more, count: more.count)
        numberCount += more.count
        return Int32(numberCount - more.count)..<Int32(numberCount)
    }
}

/// Backwards: what follows a test is compiled before it, so that where to go on is known.
private struct Compiler {
    var instructions: [Instruction] = []
    let constants = Constants()

    /// - Returns: where the condition begins.
    mutating func compile(_ condition: Condition, ifTrue: Int32, ifFalse: Int32) -> Int32 {
        switch condition {
        case .all(let parts): parts.reversed().reduce(ifTrue) { compile($1, ifTrue: $0, ifFalse: ifFalse) }
        case .any(let parts): parts.reversed().reduce(ifFalse) { compile($1, ifTrue: ifTrue, ifFalse: $0) }
        case .not(let inner): compile(inner, ifTrue: ifFalse, ifFalse: ifTrue)
        case .test(let field, let test): add(operation(field, test), ifTrue, ifFalse)
        }
    }

    private mutating func add(_ operation: Instruction.Operation, _ ifTrue: Int32, _ ifFalse: Int32) -> Int32 {
        instructions.append(Instruction(operation: operation, ifTrue: ifTrue, ifFalse: ifFalse))
        return Int32(instructions.count - 1)
    }

    private func operation(_ field: Field, _ test: Test) -> Instruction.Operation {
        if let actions = ActionSet(field, test) { return .action(actions) }
        return switch test {
        case .exists: .exists(field)
        case .boolean(let value): .boolean(field, value)
        case .number(let order, let value): .number(field, order, value)
        case .numbers(let values): .numbers(field, constants.add(values))
        default: .text(field, TextTest(test, constants))
        }
    }
}
