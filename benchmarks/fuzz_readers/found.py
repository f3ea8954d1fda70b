"""What fuzzing has found so far, for the page on reliability."""

FOUND = """
* Compressed MetaImage (.mha) with a damaged length or stream killed the process with a segmentation fault or
  an abort in the reading library. NRRD and MetaImage are now read in the child.
* A damaged multi-frame header raised `NotImplementedError` where another library's error was expected: an
  internal error for the whole folder. Such files are now set aside with a reason, and the rest is used.
* Reading libraries printed beside the messages (nibabel's header repairs, MetaIO, JPEG and JPEG 2000
  decoders): several lines instead of one. They print nowhere now.
* A NIfTI qform of absurd numbers made numpy warn on the user's terminal. Warnings are kept quiet.
* A NIfTI header damaged into numbers of one byte raised `OverflowError` where padding is marked. Volumes of
  one byte are read now.
* A few files counted as hanging (damaged JPEG lossless frames, compressed MetaImage; 10 to 19 s of processor
  time), and take 1 to 3 s alone. The bench was wrong: each had ended the child that had read thousands of
  files before it, whose whole time then fell on it. The bench counts living children as well now.
"""
