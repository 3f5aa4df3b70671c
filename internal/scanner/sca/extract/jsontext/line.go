package jsontext

import "bytes"

// lineBlock is the distance in bytes of the marks of a lineIndex: a look-up
// counts the line breaks of one block at most, whatever the length of a line.
const lineBlock = 1 << 10

// lineIndex finds line and column of an offset in constant time, at the price
// of 8 bytes for each block of the text. It is built at the first look-up.
type lineIndex struct {
	marks []lineMark
}

// lineMark describes the text before a block.
type lineMark struct {
	breaks int32 // number of line breaks
	start  int32 // offset of the first byte of the line that the block begins in
}

func (x *lineIndex) position(data []byte, offset int) (line, column int) {
	if x.marks == nil {
		x.build(data)
	}
	offset = max(0, min(offset, len(data)))
	mark := x.marks[offset/lineBlock]
	block := data[offset/lineBlock*lineBlock : offset]
	start := int(mark.start)
	if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
		start = offset - len(block) + i + 1
	}
	return int(mark.breaks) + bytes.Count(block, []byte{'\n'}) + 1, offset - start + 1
}

func (x *lineIndex) build(data []byte) {
	x.marks = make([]lineMark, 1, len(data)/lineBlock+1)
	var mark lineMark
	for at := 0; at+lineBlock <= len(data); at += lineBlock {
		block := data[at : at+lineBlock]
		mark.breaks += int32(bytes.Count(block, []byte{'\n'}))
		if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
			mark.start = int32(at + i + 1)
		}
		x.marks = append(x.marks, mark)
	}
}
