"""interim"""
from types import SimpleNamespace
import pickle
GENS={'v100':'volta','a100':'ampere','a800':'ampere','h100_sxm_96gb':'hopper500','h100':'hopper','h200':'hopper','h800':'hopper','h20':'hopper','gh200':'hopper','gb200':'blackwell','b200':'blackwell','gb300':'blackwell_ultra','b300':'blackwell_ultra','tpu_v4':'tpu4','tpu_v5e':'tpu5e','tpu_v5p':'tpu5p','tpu_v6e':'tpu6e','tpu_v7':'tpu7','ascend_910b':'ascend910b','gaudi_2':'gaudi2','trainium_1':'trainium1'}
VAL={}
def gen(chip_id):
    for k,v in GENS.items():
        if k in chip_id: return v
    return 'hopper'
def for_chip(chip_id, mode="fitted"):
    G=pickle.load(open('/tmp/cal/fit.pkl','rb'))[0] if not VAL else VAL
    e=list(G[gen(chip_id)])
    return SimpleNamespace(generation=gen(chip_id),gemm_16bit=e[0],gemm_8bit=e[1] or e[0],gemm_4bit=e[2] or e[0],attention=e[3],assumptions=())
def shared(mode="fitted"):
    return SimpleNamespace(memory_efficiency=.70,link_efficiency=.75,network_efficiency=.75,kernel_s=2e-6)
def attention_kernel(chip_id, kernel):
    g=gen(chip_id)
    return {'unfused':1.,'flash_1':.6 if g.startswith('ampere') else .55*.8,'flash_2':.55 if g.startswith('hopper') else 1.,'flash_3':1.}[kernel]
