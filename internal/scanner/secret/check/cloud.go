package check

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// awsAccessKeyID checks access key ids: four letters of kind and 16 base32
// characters. In ids made since about 2019 the first bit of those is set and the
// following 40 are the account number. Sources: AWS' "Unique ID prefixes"; Aidan
// Steele, "AWS Access Key ID formats", 2020; Tal Be'ery, "A short note on AWS KEY
// ID", 2023; WithSecure Labs, "A bitwise analysis of AWS access key
// identifiers".
func awsAccessKeyID(secret []byte) Result {
	s := string(secret)
	if len(s) != 20 {
		return invalid("not 20 characters")
	}
	kind := map[string]string{"AKIA": "long-term", "ASIA": "temporary", "ABIA": "bearer", "ACCA": "context-specific"}[s[:4]]
	body := s[4:]
	switch {
	case !all(body, upper+"234567"):
		return invalid("not in the base32 alphabet")
	case strings.Contains(body, "EXAMPLE"):
		return invalid("an example from AWS' documentation")
	case monotonous(body), distinct(body) < 6:
		return invalid("repeated or counted characters")
	}
	r := unknown().with("aws.key", kind)
	if kind == "temporary" {
		r.Evidence = append(r.Evidence, "temporary credential")
	}
	raw, err := base32.StdEncoding.DecodeString(body)
	if err != nil {
		return invalid("not in the base32 alphabet")
	}
	if raw[0]&0x80 == 0 {
		r.Evidence = append(r.Evidence, "older key id, without account number")
		return r
	}
	account := (binary.BigEndian.Uint64(append([]byte{0, 0}, raw[:6]...)) & 0x7fffffffff80) >> 7
	if account > 999_999_999_999 || account == 0 {
		return invalid("holds an impossible account number")
	}
	id := fmt.Sprintf("%012d", account)
	r.Evidence = append(r.Evidence, "belongs to AWS account "+id)
	return r.with("aws.account", id)
}

// publicKeys are the SHA-256 sums of credentials that everybody knows, as they
// stand in manuals.
var publicKeys = map[string]string{
	"0011cc25eb4320717494d2703e8cba85743e71b500283c21c8b88147992f9059": "the public key of the storage emulator Azurite",
	"aa6547439583c3a275d4542a0df6c1ad6a863971be9f2a2220f027cc02aef615": "the public key of the Cosmos DB emulator",
	"0b5dd075ccdd03c42f4edda8e299e6838e2a75d3486a2a8d86940ed1541e9178": "the example of Telegram's manual",
}

func publicKey(secret []byte) (string, bool) {
	sum := sha256.Sum256(secret)
	what, ok := publicKeys[hex.EncodeToString(sum[:])]
	return what, ok
}

// azureStorageKey checks account keys: 64 bytes in base64. Those made since
// 2022 carry a signature and a checksum.
func azureStorageKey(secret []byte) Result {
	b, ok := decodeBase64(string(secret), false)
	if !ok || len(b) != 64 {
		return invalid("not 64 bytes in base64")
	}
	if what, is := publicKey(secret); is {
		return invalid(what)
	}
	if monotonous(string(b)) || printable(b) {
		return invalid("not random bytes")
	}
	if r := azureCASK(secret); r.Outcome == Valid {
		return r
	}
	return unknown("64 bytes in base64")
}

// Seeds of the checksum in Azure's identifiable keys, by signature. A seed is
// the ASCII of a name of eight characters, such as "Default0". Source:
// Microsoft's repository security-utilities, IdentifiableMetadata.cs.
var azureSeeds = map[string][]string{
	"AZEG": {"Default0"},
	"+ASb": {"Send0000", "Manage00", "Listen00", "System00", "Unknown0"},
	"+AEh": {"Send0000", "Manage00", "Listen00", "System00", "Unknown0"},
	"+ARm": {"Send0000", "Manage00", "Listen00", "System00", "Unknown0"},
	"+ABa": {"AbAcct00"},
	"AzFu": {"Functi00", "System00", "Master00"},
	"ACDb": {"MastRO00", "MastRW00", "SysAll00", "Resour00", "SystRO00", "SystRW00", "Encryp00"},
	"AzCa": {"Access00"},
	"+ASt": {"Default0"},
	"AzSe": {"Query000", "PAdmin00"},
	"+AMC": {"Classic0"},
	"+ACR": {"ACRDflt0"},
	"AIoT": {"IoTHub00", "DpsKey00", "Device00"},
	"APIM": {"Tenant00", "IoTHub00", "Gatewy00", "GitKey00"},
}

var azureServices = map[string]string{
	"AZEG": "event-grid", "+ASb": "service-bus", "+AEh": "event-hubs", "+ARm": "relay", "+ABa": "batch",
	"AzFu": "functions", "ACDb": "cosmos-db", "AzCa": "redis", "+ASt": "storage", "AzSe": "search",
	"+AMC": "machine-learning", "+ACR": "container-registry", "AIoT": "iot", "APIM": "api-management",
}

// azureCASK checks Microsoft's common annotated security keys: 52 random
// characters, the signature JQQJ9 with a digit or letter of kind, two characters
// of date, 16 of platform and provider data, the provider's signature of 4 and a
// checksum; and the identifiable keys before them, where signature and checksum
// are the last seven bytes. The checksum is Marvin32. A mismatch proves nothing:
// not every seed in use is published.
func azureCASK(secret []byte) Result {
	s := string(secret)
	if len(s) >= 84 && s[52:57] == "JQQJ9" {
		return annotatedKey(s)
	}
	body := strings.TrimRight(s, "=")
	if len(body) < 24 || len(body) > 128 {
		return unknown()
	}
	signature := body[len(body)-10 : len(body)-6]
	seeds, known := azureSeeds[signature]
	b, ok := decodeBase64(s, false)
	if !known || !ok || len(b) < 24 {
		return unknown()
	}
	r := unknown("carries a signature of Azure").with("azure.service", azureServices[signature])
	sum := binary.LittleEndian.Uint32(b[len(b)-4:])
	for _, name := range seeds {
		if marvin32(seed(name), b[:len(b)-4]) == sum {
			r.Outcome = Valid
			r.Evidence = []string{"signature and checksum of Azure match"}
			return r
		}
	}
	return r
}

// annotatedKey checks a key of 84 or 88 characters with JQQJ9 at position 52.
func annotatedKey(s string) Result {
	if (len(s) != 84 && len(s) != 88) || !all(strings.TrimRight(s, "="), base62) {
		return unknown()
	}
	month := int(s[59]) - 'A'
	if month < 0 || month > 11 {
		return invalid("holds an impossible date")
	}
	r := unknown("carries Microsoft's signature of annotated keys").
		with("azure.signature", s[76:80])
	if year := strings.IndexByte(letters+digits, s[58]); year >= 0 {
		made := time.Date(2024+year, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC)
		r = r.with("azure.created", made.Format("2006-01"))
	}
	if s[57] == 'D' {
		r = r.with("azure.derived", "true")
	}
	b, ok := decodeBase64(s[:80], false)
	if !ok || s[57] != '9' {
		return r
	}
	sum := binary.LittleEndian.AppendUint32(nil, marvin32(seed("Default0"), b))
	want, ok := decodeBase64(s[80:84], false)
	if ok && string(want) == string(sum[:len(want)]) {
		r.Outcome = Valid
		r.Evidence = []string{"signature and checksum of Azure match"}
	}
	return r
}

// seed reads a name of eight characters as a big-endian number.
func seed(name string) uint64 {
	return binary.BigEndian.Uint64([]byte(name))
}

// marvin32 is Microsoft's checksum of that name, its two words joined by XOR.
func marvin32(seed uint64, data []byte) uint32 {
	lo, hi := uint32(seed), uint32(seed>>32)
	mix := func(word uint32) {
		lo += word
		hi ^= lo
		lo = bits.RotateLeft32(lo, 20) + hi
		hi = bits.RotateLeft32(hi, 9) ^ lo
		lo = bits.RotateLeft32(lo, 27) + hi
		hi = bits.RotateLeft32(hi, 19)
	}
	for ; len(data) >= 4; data = data[4:] {
		mix(binary.LittleEndian.Uint32(data))
	}
	var tail [4]byte
	tail[copy(tail[:], data)] = 0x80
	mix(binary.LittleEndian.Uint32(tail[:]))
	mix(0)
	return lo ^ hi
}
