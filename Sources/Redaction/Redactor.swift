internal import Glibc
internal import KernelABI
internal import Rings

/// Masks secrets in records and arguments. What it is to mask is compiled once and does not change; any number of threads may
/// share one, each with a `RedactionScratch` of its own.
///
/// - Invariant: every pointer below is written to by `init` alone, which makes `@unchecked Sendable` hold.
public final class Redactor: @unchecked Sendable {
    /// In place of a secret, whatever its length.
    public static let mask: StaticString = "[redacted]"

    private let scan: LiteralScan
    let patterns: [CompiledPattern]
    /// Folded.
    private let kept: [[UInt8]]
    /// A bit for each length among them; the highest for all lengths from 63 on.
    private let keptLengths: UInt64

    public init(_ rules: RedactionRules = RedactionRules()) throws(RedactionError) {
        var literals: [(bytes: [UInt8], literal: Literal)] = BuiltIn.names.map { (Self.bytes($0.name), Literal(.name, .nameEnd, flags: $0.flags)) }
        for (index, name) in rules.names.enumerated() {
            guard (2...255).contains(name.utf8.count), name.utf8.allSatisfy(ByteClass.isName) else {
                throw RedactionError(rule: .name(index), message: "a name has 2 to 255 letters, digits, -, _ and .")
            }
            literals.append((Array(name.utf8), Literal(.name, .nameEnd, flags: .word)))
        }
        literals.append((Array("://".utf8), Literal(.url, .any)))
        literals.append((Array("private key-----".utf8), Literal(.key, .any)))
        literals += BuiltIn.tokens.map { (Self.bytes($0), Literal(.token, .any)) }
        for (index, program) in BuiltIn.programs.enumerated() {
            literals += program.names.map { (Self.bytes($0), Literal(.program, .wordEnd, payload: index)) }
        }
        var compiled: [CompiledPattern] = []
        do throws(RedactionError) {
            for (index, pattern) in rules.patterns.enumerated() {
                guard pattern.literal.utf8.count >= 2, pattern.literal.utf8.count <= 255, !pattern.literal.utf8.contains(0) else {
                    throw RedactionError(rule: .literal(index), message: "a literal has 2 to 255 bytes, none of them NUL")
                }
                literals.append((Array(pattern.literal.utf8), Literal(.pattern, .any, payload: index)))
                do throws(CompiledPattern.Refusal) {
                    compiled.append(try CompiledPattern(pattern.regex))
                } catch {
                    throw RedactionError(rule: .regex(index), message: "\(error.message), at offset \(error.offset)")
                }
            }
        } catch {
            for pattern in compiled { pattern.free() }
            throw error
        }
        patterns = compiled
        scan = LiteralScan(literals)
        kept = BuiltIn.keep.map(Self.bytes) + rules.keep.map { $0.utf8.map(ByteClass.fold) }
        keptLengths = kept.reduce(0) { $0 | Self.lengthBit($1.count) }
    }

    deinit { for pattern in patterns { pattern.free() } }

    private static func bytes(_ text: StaticString) -> [UInt8] { text.withUTF8Buffer { [UInt8]($0) } }

    // MARK: records

    /// Masks the secrets of a record of whatever kind.
    ///
    /// - Returns: how many; 0: there are none, and nothing was copied. Otherwise `scratch.bytes` is the record to go on with, until
    ///   the next call: the same with its strings masked. Bytes that are no whole record have no secrets here.
    @inline(__always)
    public func redact(_ record: RawSpan, into scratch: inout RedactionScratch) -> UInt32 {
        guard let header = HeaderView(record) else { return 0 }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let first = first(in: record, from: MemoryLayout<hv_exec>.size), let view = ExecView(record) else { return 0 }
            return mask(view, from: first, into: &scratch)
        case HV_KIND_MODULE.rawValue:
            guard let first = first(in: record, from: MemoryLayout<hv_module>.size), let view = ModuleView(record) else { return 0 }
            return mask(view, from: first, into: &scratch)
        default: return 0
        }
    }

    /// Masks the secrets of arguments as execve(2) takes them and /proc/PID/cmdline shows them: each ended by a NUL. Without
    /// one behind the last they count as cut.
    ///
    /// - Returns: how many; 0: there are none, and nothing was copied. Otherwise `scratch.bytes` are the masked arguments, at most
    ///   `HV_ARGS_MAX` bytes (or as many as there were), until the next call.
    public func redact(arguments: RawSpan, into scratch: inout RedactionScratch) -> UInt32 {
        arguments.withUnsafeBytes { bytes in
            guard bytes.count < 1 << 16, let start = bytes.bindMemory(to: UInt8.self).baseAddress, let first = scan.first(start, bytes.count)
            else { return 0 }
            scratch.workspace.budget.pointee = CompiledPattern.attempts
            let isCut = bytes.count > 0 && start[bytes.count &- 1] != 0
            let masked = mask(
                start, bytes.count, from: first, .arguments, isCut: isCut, &scratch, at: 0, limit: max(bytes.count, Int(HV_ARGS_MAX)))
            scratch.length = masked.length
            return masked.count
        }
    }

    /// Where the first literal in a record's strings ends, from their beginning. They are scanned as one; what lies across a border
    /// of two is found in neither of them later.
    @inline(__always)
    private func first(in record: RawSpan, from fixed: Int) -> Int? {
        record.withUnsafeBytes { bytes in
            guard bytes.count > fixed, let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return nil }
            return scan.first(start + fixed, bytes.count &- fixed)
        }
    }

    @inline(never)
    private func mask(_ view: borrowing ExecView, from first: Int, into scratch: inout RedactionScratch) -> UInt32 {
        guard let slots = MemoryLayout<hv_exec>.offset(of: \.strings) else { return 0 }
        return mask(view.bytes, MemoryLayout<hv_exec>.size, slots: slots, count: Int(HV_EXEC_STRINGS.rawValue), from: first, into: &scratch) { slot in
            switch hv_exec_string(UInt32(slot)) {
            case HV_EXEC_ARGS: (.arguments, HV_ARGS_MAX, HV_EXEC_ARGS_TRUNCATED)
            case HV_EXEC_CGROUP: nil
            default: (.path, HV_PATH_MAX, 0)
            }
        }
    }

    @inline(never)
    private func mask(_ view: borrowing ModuleView, from first: Int, into scratch: inout RedactionScratch) -> UInt32 {
        guard let slots = MemoryLayout<hv_module>.offset(of: \.strings) else { return 0 }
        return mask(view.bytes, MemoryLayout<hv_module>.size, slots: slots, count: Int(HV_MODULE_STRINGS.rawValue), from: first, into: &scratch) { slot in
            hv_module_string(UInt32(slot)) == HV_MODULE_ARGS ? (.script, HV_ARGS_MAX, 0) : nil
        }
    }

    /// Copies a record with its strings masked.
    ///
    /// - Parameters:
    ///   - first: where the first literal ends in the strings.
    ///   - kind: of a slot's string what to read it as, how long masks may make it, and the record's flag where that cuts it; nil: it is
    ///     left as it is.
    private func mask(
        _ record: RawSpan, _ fixed: Int, slots: Int, count: Int, from first: Int, into scratch: inout RedactionScratch,
        _ kind: (Int) -> (form: TextForm, limit: Int32, flag: Int32)?
    ) -> UInt32 {
        scratch.workspace.budget.pointee = CompiledPattern.attempts
        let target = UnsafeMutableRawPointer(scratch.output)
        var found: UInt32 = 0
        record.withUnsafeBytes { bytes in
            guard let source = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            memcpy(target, source, fixed)
            var from = fixed
            var to = fixed
            var flags = target.loadUnaligned(fromByteOffset: Self.flagsOffset, as: UInt16.self)
            for index in 0..<count {
                let place = slots &+ index &* MemoryLayout<hv_string>.stride
                var slot = target.loadUnaligned(fromByteOffset: place, as: hv_string.self)
                if slot.flags & UInt16(HV_STRING_SUFFIX) != 0 { continue }
                let length = Int(slot.length)
                var written = length
                var masked: UInt32 = 0
                if let kind = kind(index), from &- fixed &+ length >= first, length > 0 {
                    let isCut =
                        kind.form != .path
                        && (slot.flags & UInt16(HV_STRING_TRUNCATED | HV_STRING_FAULT) != 0
                            || (kind.form == .arguments && source[from &+ length &- 1] != 0))
                    let result = mask(
                        source + from, length, from: first &- (from &- fixed), kind.form, isCut: isCut, &scratch, at: to, limit: max(length, Int(kind.limit)))
                    masked = result.count
                    written = result.length
                    if result.isCut {
                        slot.flags |= UInt16(HV_STRING_TRUNCATED)
                        flags |= UInt16(kind.flag)
                    }
                }
                if masked == 0 {
                    memcpy(target + to, source + from, length)
                    written = length
                }
                found &+= masked
                slot.length = UInt16(written)
                target.storeBytes(of: slot, toByteOffset: place, as: hv_string.self)
                from &+= length
                to &+= written
            }
            // What is not carried is the end of the next string, which may be shorter now.
            for index in 0..<max(0, count &- 1) {
                let place = slots &+ index &* MemoryLayout<hv_string>.stride
                var slot = target.loadUnaligned(fromByteOffset: place, as: hv_string.self)
                guard slot.flags & UInt16(HV_STRING_SUFFIX) != 0 else { continue }
                let next = target.loadUnaligned(fromByteOffset: place &+ MemoryLayout<hv_string>.stride, as: hv_string.self)
                slot.length = min(slot.length, next.length)
                target.storeBytes(of: slot, toByteOffset: place, as: hv_string.self)
            }
            target.storeBytes(of: flags, toByteOffset: Self.flagsOffset, as: UInt16.self)
            target.storeBytes(of: UInt32(to), toByteOffset: Self.sizeOffset, as: UInt32.self)
            scratch.length = to
        }
        return found
    }

    private static let flagsOffset = MemoryLayout<hv_header>.offset(of: \.flags) ?? 0
    private static let sizeOffset = MemoryLayout<hv_header>.offset(of: \.size) ?? 0

    // MARK: one string

    /// Writes a string with its secrets masked to the scratch's output; nothing where there are none.
    private func mask(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, from first: Int, _ form: TextForm, isCut: Bool, _ scratch: inout RedactionScratch, at offset: Int, limit: Int
    ) -> (count: UInt32, length: Int, isCut: Bool) {
        scratch.clear(count)
        var marker = Marker(self, bytes, count, marks: scratch.marks, form: form, isCut: isCut, workspace: scratch.workspace)
        scan.each(bytes, count, from: first) { marker.take($0, $1) }
        guard marker.marked else { return (0, count, false) }
        return Self.write(bytes, scratch.marks, count, to: scratch.output + offset, limit: limit)
    }

    /// Each run of marked bytes as one mask, the others as they are.
    private static func write(
        _ bytes: UnsafePointer<UInt8>, _ marks: UnsafePointer<UInt8>, _ count: Int, to output: UnsafeMutablePointer<UInt8>, limit: Int
    ) -> (count: UInt32, length: Int, isCut: Bool) {
        var masks: UInt32 = 0
        var length = 0
        var at = 0
        func put(_ source: UnsafePointer<UInt8>, _ size: Int) -> Bool {
            let part = min(size, limit &- length)
            memcpy(output + length, source, part)
            length &+= part
            return part == size
        }
        while at < count {
            let isMasked = marks[at]
            let end = memchr(marks + at, Int32(1 &- isMasked), count &- at).map { UnsafeRawPointer($0) - UnsafeRawPointer(marks) } ?? count
            if isMasked != 0 { masks &+= 1 }
            guard isMasked != 0 ? put(mask.utf8Start, mask.utf8CodeUnitCount) : put(bytes + at, end &- at) else { return (masks, length, true) }
            at = end
        }
        return (masks, length, false)
    }

    // MARK: names

    /// Whether a name's value stays: the whole name, or what is behind its last dot.
    func keeps(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var leaf = end
        while leaf > start, bytes[leaf &- 1] != UInt8(ascii: ".") { leaf &-= 1 }
        guard keptLengths & (Self.lengthBit(end &- start) | Self.lengthBit(end &- leaf)) != 0 else { return false }
        return kept.contains { Self.isSame($0, bytes, start, end) || Self.isSame($0, bytes, leaf, end) }
    }

    private static func lengthBit(_ length: Int) -> UInt64 { 1 << UInt64(min(length, 63)) }

    /// Whether an option says that there is no secret, or asks for one.
    func negates(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        BuiltIn.negations.contains { prefix in
            guard prefix.utf8CodeUnitCount <= end &- start else { return false }
            for offset in 0..<prefix.utf8CodeUnitCount where ByteClass.fold(bytes[start &+ offset]) != prefix.utf8Start[offset] { return false }
            return true
        }
    }

    private static func isSame(_ name: [UInt8], _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard name.count == end &- start else { return false }
        for offset in 0..<name.count where ByteClass.fold(bytes[start &+ offset]) != name[offset] { return false }
        return true
    }
}
