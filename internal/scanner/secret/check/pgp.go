package check

import (
	"encoding/base64"
	"encoding/binary"

	"bulwark/internal/finding"
)

// crc24 is the checksum of OpenPGP's armor (RFC 9580 section 6.1).
func crc24(b []byte) uint32 {
	crc := uint32(0xB704CE)
	for _, octet := range b {
		crc ^= uint32(octet) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864CFB
			}
		}
	}
	return crc & 0xFFFFFF
}

// pgpKey checks the first packet of a transferable secret key: tag 5, and
// whether its secret numbers are encrypted (RFC 4880 and 9580, section 5.5.3).
func pgpKey(data []byte, checksum string) Result {
	var r Result
	if sum, err := base64.StdEncoding.DecodeString(checksum); checksum != "" && err == nil && len(sum) == 3 {
		if crc24(data) != uint32(sum[0])<<16|uint32(sum[1])<<8|uint32(sum[2]) {
			return unparsed() // the standard asks not to reject for it alone
		}
		r.Evidence = append(r.Evidence, "CRC-24 checksum matches")
	}
	tag, body, ok := pgpPacket(data)
	switch {
	case !ok:
		return unparsed()
	case tag != 5:
		return invalid("not a secret key packet")
	}
	r.Outcome = Valid
	r.Evidence = append(r.Evidence, "secret key packet parses")
	kind, usage, ok := pgpProtection(body)
	r = r.with("key.type", kind)
	switch {
	case !ok:
		return r
	case usage.dummy:
		r.Evidence = append(r.Evidence, "the secret part is not included")
		return r.at(finding.Low)
	case usage.octet != 0:
		r.Evidence = append(r.Evidence, "encrypted with a passphrase")
		return r.with("key.encrypted", "true").at(finding.Low)
	}
	return r
}

// pgpPacket splits off the first packet, which must be whole.
func pgpPacket(b []byte) (tag int, body []byte, ok bool) {
	if len(b) < 2 || b[0]&0x80 == 0 {
		return 0, nil, false
	}
	var n, header uint64
	if b[0]&0x40 != 0 { // current format
		tag = int(b[0] & 0x3f)
		switch first := uint64(b[1]); {
		case first < 192:
			n, header = first, 2
		case first < 224 && len(b) > 2:
			n, header = (first-192)<<8+uint64(b[2])+192, 3
		case first == 255 && len(b) > 5:
			n, header = uint64(binary.BigEndian.Uint32(b[2:])), 6
		default:
			return 0, nil, false
		}
	} else {
		tag = int(b[0] >> 2 & 0x0f)
		switch width := uint64(1) << (b[0] & 3); {
		case width > 4 || uint64(len(b)) < 1+width:
			return 0, nil, false
		default:
			for _, c := range b[1 : 1+width] {
				n = n<<8 | uint64(c)
			}
			header = 1 + width
		}
	}
	if n > uint64(len(b)) || header+n > uint64(len(b)) {
		return 0, nil, false
	}
	return tag, b[header : header+n], true
}

type pgpUsage struct {
	octet byte
	dummy bool // GnuPG's stub: the secret lives elsewhere
}

// pgpProtection walks over the public numbers of a version 4 key to the octet
// that says how the secret ones are protected.
func pgpProtection(b []byte) (kind string, usage pgpUsage, ok bool) {
	if len(b) < 6 || b[0] != 4 {
		return "", usage, false
	}
	algorithm := b[5]
	b = b[6:]
	mpi := func() (bits int) {
		if len(b) < 2 {
			b = nil
			return 0
		}
		bits = int(binary.BigEndian.Uint16(b))
		n := 2 + (bits+7)/8
		if n > len(b) {
			b = nil
			return 0
		}
		b = b[n:]
		return bits
	}
	short := func() {
		if len(b) == 0 || 1+int(b[0]) > len(b) {
			b = nil
			return
		}
		b = b[1+int(b[0]):]
	}
	skip := func(n int) { b = b[min(n, len(b)):] }
	switch algorithm {
	case 1, 2, 3:
		kind = sized(Result{}, "rsa", mpi()).Properties["key.type"]
		mpi()
	case 16:
		mpi()
		mpi()
		mpi()
		kind = "elgamal"
	case 17:
		kind = sized(Result{}, "dsa", mpi()).Properties["key.type"]
		mpi()
		mpi()
		mpi()
	case 18:
		short()
		mpi()
		short()
		kind = "ecdh"
	case 19:
		short()
		mpi()
		kind = "ec"
	case 22:
		short()
		mpi()
		kind = "eddsa"
	case 25, 27:
		skip(32)
		kind = map[byte]string{25: "x25519", 27: "ed25519"}[algorithm]
	case 26:
		skip(56)
		kind = "x448"
	case 28:
		skip(57)
		kind = "ed448"
	default:
		return "", usage, false
	}
	if len(b) == 0 {
		return kind, usage, false
	}
	usage.octet = b[0]
	// 254 or 255, cipher, specifier 101 of GnuPG, hash, "GNU", mode
	usage.dummy = len(b) >= 7 && b[0] >= 254 && b[2] == 101 && string(b[4:7]) == "GNU"
	return kind, usage, true
}
