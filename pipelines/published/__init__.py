"""The nine systems of the MI2RLNet paper as their authors published them: which tensors, and what surrounds them.

Each recipe is one network with its own preparation and finish and their constants, under the name of its checkpoint:
EnhanceCls, ViewCls, LRDet, LungSeg, LiverSeg, BBBSeg, KidneyTumorSeg_1, _2_1 .. _2_5, MRIBET_T1, MRIBET_MRA, PolypDet.
What the weights were trained with is kept, however odd; what was a mistake in the published program is not.

A stage works on arrays and hands its plain result to `tell`, a function of the pipeline's that puts it into coded
findings. Its batch has `inputs` and its output has `outputs`, arrays in the published layout (channels last for what
was Keras), so that a site can compare each step with the original.
"""
