import Glibc
import KernelABI
import Rings
import Synchronization

/// A BPF ring in plain memory, written as kernel/bpf/ringbuf.c writes it, with pages that may not be touched before and
/// behind the two views of its data.
///
/// Invariant for `@unchecked Sendable`: one thread writes and one reads; what they share are the atomic words.
final class SimulatedRing: @unchecked Sendable {
    static let busy: UInt32 = 1 << 31
    static let discard: UInt32 = 1 << 30

    let size: Int
    let data: UnsafeMutableRawPointer
    private let pages: UnsafeMutableRawPointer
    private let mapping: UnsafeMutableRawPointer
    private let mappingSize: Int
    private let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// - Parameter size: a power of two, at least a page.
    init(size: Int, position: UInt = 0) {
        self.size = size
        mappingSize = 2 * size + 2 * pageSize
        var name = Array("/tmp/ring-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        precondition(descriptor >= 0 && unlink(name) == 0 && ftruncate(descriptor, size) == 0, "mkstemp")
        mapping = mmap(nil, mappingSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(mapping != MAP_FAILED, "mmap")
        data = mapping + pageSize
        for view in 0..<2 {
            let mapped = mmap(data + view * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0)
            precondition(mapped != MAP_FAILED, "mmap")
        }
        close(descriptor)
        pages = .allocate(byteCount: 128, alignment: 64)
        consumer.initialize(to: Atomic(position))
        producer.initialize(to: Atomic(position))
    }

    deinit {
        munmap(mapping, mappingSize)
        pages.deallocate()
    }

    var consumer: UnsafeMutablePointer<Atomic<UInt>> { pages.assumingMemoryBound(to: Atomic<UInt>.self) }
    var producer: UnsafeMutablePointer<Atomic<UInt>> { (pages + 64).assumingMemoryBound(to: Atomic<UInt>.self) }
    var consumed: UInt { consumer.pointee.load(ordering: .acquiring) }
    var produced: UInt { producer.pointee.load(ordering: .acquiring) }

    func reader() -> RingReader {
        RingReader(consumer: UnsafeMutableRawPointer(consumer), producer: UnsafeRawPointer(producer), data: data, size: size)
    }

    func header(_ position: UInt) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (data + Int(position & UInt(size - 1))).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// As __bpf_ringbuf_reserve: nil when there is no room.
    func reserve(_ byteCount: Int) -> UInt? {
        let position = produced
        let end = position &+ UInt((byteCount + 15) & ~7)
        guard end &- consumed <= UInt(size - 1) else { return nil }
        header(position).pointee.store(UInt32(byteCount) | Self.busy, ordering: .relaxed)
        producer.pointee.store(end, ordering: .releasing)
        return position
    }

    func commit(_ position: UInt, discard: Bool = false) {
        let word = header(position).pointee.load(ordering: .relaxed) & ~Self.busy
        header(position).pointee.store(word | (discard ? Self.discard : 0), ordering: .releasing)
    }

    func fill(_ position: UInt, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { (data + Int(position & UInt(size - 1)) + 8).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    @discardableResult
    func write(_ bytes: [UInt8], discard: Bool = false) -> Bool {
        guard let position = reserve(bytes.count) else { return false }
        if !bytes.isEmpty { fill(position, bytes) }
        commit(position, discard: discard)
        return true
    }
}

/// The bytes of a record: header and `extra` bytes.
func record(ring: Int = 0, cpu: Int = 0, sequence: UInt64 = 0, time: UInt64, extra: Int = 0, size: Int? = nil) -> [UInt8] {
    var header = hv_header()
    header.size = UInt32(size ?? MemoryLayout<hv_header>.size + extra)
    header.kind = UInt16(HV_KIND_EXIT.rawValue)
    header.sequence = sequence
    header.time = time
    header.ring = UInt16(ring)
    header.cpu = UInt16(cpu)
    return withUnsafeBytes(of: header) { Array($0) } + Array(repeating: UInt8(truncatingIfNeeded: sequence), count: extra)
}

func header(_ bytes: RawSpan) -> hv_header { bytes.withUnsafeBytes { $0.loadUnaligned(as: hv_header.self) } }
func array(_ bytes: RawSpan) -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
