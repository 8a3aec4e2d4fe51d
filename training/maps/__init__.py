"""Maps: values of targets as tables, NIfTI images, surfaces and pictures of them."""
