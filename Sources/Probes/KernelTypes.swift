internal import CLibbpf
internal import Glibc

/// The running kernel's BTF, as far as choosing hooks needs it.
final class KernelTypes {
    private let btf: OpaquePointer

    /// Nil with the errno where the kernel has none (CONFIG_DEBUG_INFO_BTF) or it can't be read.
    init(errno code: inout Int32) throws(ProbeError) {
        guard let loaded = btf__load_vmlinux_btf() else {
            code = Glibc.errno
            throw ProbeError.noTypes(errno: code)
        }
        btf = loaded
    }

    deinit { btf__free(btf) }

    /// The BTF id that a program of this target is loaded with; nil where the kernel has no such function, hook or tracepoint.
    func id(of target: Program.Target) -> UInt32? {
        let (name, kind): (String, UInt32) =
            switch target {
            case .function(let name): (name, 12)  // BTF_KIND_FUNC, include/uapi/linux/btf.h
            case .lsm(let name): ("bpf_lsm_" + name, 12)
            case .tracepoint(let name): ("btf_trace_" + name, 8)  // BTF_KIND_TYPEDEF
            case .iterator(let name): ("bpf_iter_" + name, 12)
            }
        let id = btf__find_by_name_kind(btf, name, kind)
        return id > 0 ? UInt32(id) : nil
    }

    /// How many arguments a kernel function has, and which is the first that points to such a struct; nil where there is no such
    /// function, or no such argument.
    func arguments(of function: String, pointingTo name: String) -> (count: UInt8, place: UInt8)? {
        guard let id = id(of: .function(function)), let type = btf__type_by_id(btf, id), let prototype = btf__type_by_id(btf, type.pointee.type)
        else { return nil }
        // struct btf_type is followed by vlen struct btf_param (include/uapi/linux/btf.h).
        let count = Int(prototype.pointee.info & 0xffff)
        let parameters = UnsafeRawPointer(prototype + 1).assumingMemoryBound(to: btf_param.self)
        for index in 0..<count where names(parameters[index].type, aStruct: name) { return (UInt8(count), UInt8(index)) }
        return nil
    }

    /// Whether a type is a pointer to a struct of that name, constant or not.
    private func names(_ id: UInt32, aStruct name: String) -> Bool {
        guard let pointer = btf__type_by_id(btf, id), pointer.pointee.info >> 24 & 0x1f == 2,  // BTF_KIND_PTR
            var pointee = btf__type_by_id(btf, pointer.pointee.type)
        else { return false }
        while pointee.pointee.info >> 24 & 0x1f == 10, let inner = btf__type_by_id(btf, pointee.pointee.type) { pointee = inner }  // BTF_KIND_CONST
        guard pointee.pointee.info >> 24 & 0x1f == 4,  // BTF_KIND_STRUCT
            let found = btf__name_by_offset(btf, pointee.pointee.name_off)
        else { return false }
        return strcmp(found, name) == 0
    }
}

/// Loads programs of a few instructions to learn what the kernel allows: by trying, never by its version.
enum Trial {
    /// Nil when a program of this kind loads, otherwise the errno.
    static func load(_ target: Program.Target, id: UInt32) -> Int32? {
        let (type, attach): (bpf_prog_type, bpf_attach_type) =
            switch target {
            case .function: (BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY)
            case .lsm: (BPF_PROG_TYPE_LSM, BPF_LSM_MAC)
            case .tracepoint: (BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP)
            case .iterator: (BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER)
            }
        // r0 = 0; exit
        return load([0xb7, 0x95], type: type, attach: attach, id: id)
    }

    /// Whether an atomic may give back what was there (5.12).
    static func fetchingAtomics() -> Bool {
        // r1 = 1; *(u64 *)(r10 - 8) = r1; r1 = atomic_fetch_add((u64 *)(r10 - 8), r1); r0 = 0; exit
        load(
            [0x0000_0001_0000_01b7, 0x0000_0000_fff8_1a7b, 0x0000_0001_fff8_1adb, 0xb7, 0x95], type: BPF_PROG_TYPE_SOCKET_FILTER,
            attach: bpf_attach_type(0), id: 0) == nil
    }

    /// `instructions` as 64-bit words (struct bpf_insn, little-endian).
    private static func load(_ instructions: [UInt64], type: bpf_prog_type, attach: bpf_attach_type, id: UInt32) -> Int32? {
        var options = bpf_prog_load_opts()
        options.sz = MemoryLayout<bpf_prog_load_opts>.size
        options.expected_attach_type = attach
        options.attach_btf_id = id
        let descriptor = instructions.withUnsafeBytes { bytes in
            bpf_prog_load(
                type, "hv_trial", "Dual BSD/GPL", bytes.baseAddress!.assumingMemoryBound(to: bpf_insn.self), bytes.count / 8, &options)
        }
        guard descriptor >= 0 else { return -descriptor }
        close(descriptor)
        return nil
    }
}
