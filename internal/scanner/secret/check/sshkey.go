package check

import (
	"encoding/binary"
	"strconv"
	"strings"

	"bulwark/internal/finding"
)

// wire reads the length-prefixed fields of the SSH protocol (RFC 4251).
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) uint32() uint32 {
	if len(w.b) < 4 {
		w.bad = true
		return 0
	}
	v := binary.BigEndian.Uint32(w.b)
	w.b = w.b[4:]
	return v
}

func (w *wire) field() []byte {
	n := w.uint32()
	if w.bad || uint64(n) > uint64(len(w.b)) {
		w.bad = true
		return nil
	}
	f := w.b[:n]
	w.b = w.b[n:]
	return f
}

// opensshKey parses openssh-key-v1 (OpenSSH's PROTOCOL.key). In a key without
// passphrase two equal check numbers open the private part.
func opensshKey(data []byte) Result {
	const magic = "openssh-key-v1\x00"
	if !strings.HasPrefix(string(data), magic) {
		return unparsed()
	}
	w := wire{b: data[len(magic):]}
	cipher, kdf := string(w.field()), string(w.field())
	w.field() // options of the key derivation
	keys := w.uint32()
	public := w.field()
	private := w.field()
	if w.bad || keys != 1 {
		return invalid("truncated")
	}
	kind := sshKeyType(public)
	if cipher != "none" {
		if kdf == "none" || len(private) == 0 {
			return invalid("damaged")
		}
		return valid("encrypted OpenSSH key").with("key.type", kind).with("key.encrypted", "true").at(finding.Low)
	}
	p := wire{b: private}
	first, second := p.uint32(), p.uint32()
	name := string(p.field())
	if p.bad || first != second {
		return invalid("check numbers differ: damaged")
	}
	pub := wire{b: public}
	if string(pub.field()) != name {
		return invalid("private and public key are of different types")
	}
	r := valid("OpenSSH key parses, its check numbers agree").with("key.type", kind)
	if strings.HasPrefix(name, "sk-") {
		r.Evidence = append(r.Evidence, "useless without its hardware token")
		r = r.at(finding.Low)
	}
	return r
}

// sshKeyType names the type of a public key blob: "rsa-2048", "ec-p256",
// "ed25519"; empty if it is none.
func sshKeyType(blob []byte) string {
	w := wire{b: blob}
	name := string(w.field())
	switch {
	case name == "ssh-rsa":
		w.field() // exponent
		return bitsOf("rsa-", w.field())
	case name == "ssh-dss":
		return bitsOf("dsa-", w.field())
	case strings.HasPrefix(name, "ecdsa-sha2-nistp"):
		return "ec-p" + clip(name[len("ecdsa-sha2-nistp"):])
	case name == "ssh-ed25519":
		return "ed25519"
	case name == "sk-ssh-ed25519@openssh.com":
		return "sk-ed25519"
	case name == "sk-ecdsa-sha2-nistp256@openssh.com":
		return "sk-ec-p256"
	}
	return ""
}

// bitsOf appends the length in bits of a multiple-precision integer.
func bitsOf(kind string, mpi []byte) string {
	for len(mpi) > 0 && mpi[0] == 0 {
		mpi = mpi[1:]
	}
	return kind + strconv.Itoa(len(mpi)*8)
}

// puttyKey checks PuTTY's own format, versions 2 and 3 (PuTTY manual, appendix
// on PPK files).
func puttyKey(text string) Result {
	var public, private strings.Builder
	var into *strings.Builder
	lines, encryption, algorithm, mac := 0, "", "", false
	for raw := range strings.SplitSeq(text, "\n") {
		line := bareLine(raw)
		if lines > 0 {
			into.WriteString(line)
			lines--
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		n, _ := strconv.Atoi(value)
		switch {
		case strings.HasPrefix(name, "PuTTY-User-Key-File-"):
			algorithm = value
		case name == "Encryption":
			encryption = value
		case name == "Public-Lines" && n > 0 && n <= 400:
			lines, into = n, &public
		case name == "Private-Lines" && n > 0 && n <= 400:
			lines, into = n, &private
		case name == "Private-MAC" || name == "Private-Hash":
			mac = isHex(value)
		}
	}
	pub, okPublic := decodeArmor(public.String())
	secret, okPrivate := decodeArmor(private.String())
	w := wire{b: pub}
	switch {
	case strings.ContainsAny(public.String()+private.String(), ".<*"):
		return invalid("a placeholder instead of key material")
	case !okPublic || !okPrivate || encryption == "":
		return unparsed()
	case len(secret) < 16:
		return invalid("truncated")
	case string(w.field()) != algorithm:
		return invalid("public key is not of the type named")
	}
	r := valid("PuTTY key parses").with("key.type", sshKeyType(pub))
	if !mac {
		r = unknown("PuTTY key without its checksum").with("key.type", sshKeyType(pub))
	}
	if encryption != "none" {
		return r.with("key.encrypted", "true").at(finding.Low)
	}
	return r
}
